# SPDX-License-Identifier: Apache-2.0
"""The time zones of schedules: the API takes Rails' names, each of which stands for an IANA zone."""

from __future__ import annotations

_BY_REGION = {
    "Africa": """West Central Africa=Algiers, Cairo, Casablanca, Harare, Monrovia, Nairobi, Pretoria=Johannesburg""",
    "America": """Arizona=Phoenix, Atlantic Time (Canada)=Halifax, Bogota, Brasilia=Sao_Paulo,
        Buenos Aires=Argentina/Buenos_Aires, Caracas, Central America=Guatemala, Central Time (US & Canada)=Chicago,
        Chihuahua, Eastern Time (US & Canada)=New_York, Alaska=Juneau, Georgetown=Guyana, Greenland=Nuuk,
        Guadalajara=Mexico_City, Indiana (East)=Indiana/Indianapolis, La Paz=La_Paz, Lima, Mazatlan,
        Mexico City=Mexico_City, Monterrey, Montevideo, Mountain Time (US & Canada)=Denver, Newfoundland=St_Johns,
        Pacific Time (US & Canada)=Los_Angeles, Puerto Rico=Puerto_Rico, Quito=Lima, Santiago, Saskatchewan=Regina,
        Tijuana""",
    "Asia": """Abu Dhabi=Muscat, Almaty, Astana=Almaty, Baghdad, Baku, Bangkok, Beijing=Shanghai, Chennai=Kolkata,
        Chongqing, Dhaka, Ekaterinburg=Yekaterinburg, Hanoi=Bangkok, Hong Kong=Hong_Kong, Irkutsk,
        Islamabad=Karachi, Jakarta, Jerusalem, Kabul, Kamchatka, Karachi, Kathmandu, Kolkata, Krasnoyarsk,
        Kuala Lumpur=Kuala_Lumpur, Kuwait=Riyadh, Magadan, Mumbai=Kolkata, Muscat, New Delhi=Kolkata, Novosibirsk,
        Osaka=Tokyo, Rangoon, Riyadh, Sapporo=Tokyo, Seoul, Singapore, Srednekolymsk, Sri Jayawardenepura=Colombo,
        Taipei, Tashkent, Tbilisi, Tehran, Tokyo, Ulaanbaatar, Urumqi, Vladivostok, Yakutsk, Yerevan""",
    "Atlantic": """Azores, Cape Verde Is.=Cape_Verde, Mid-Atlantic=South_Georgia""",
    "Australia": """Adelaide, Brisbane, Canberra=Canberra, Darwin, Hobart, Melbourne, Perth, Sydney""",
    "Europe": """Amsterdam, Athens, Belgrade, Berlin, Bern=Zurich, Bratislava, Brussels, Bucharest, Budapest,
        Copenhagen, Dublin, Edinburgh=London, Helsinki, Istanbul, Kaliningrad, Kyiv=Kiev, Lisbon, Ljubljana, London,
        Madrid, Minsk, Moscow, Paris, Prague, Riga, Rome, Samara, Sarajevo, Skopje, Sofia, St. Petersburg=Moscow,
        Stockholm, Tallinn, Vienna, Vilnius, Volgograd, Warsaw, Zagreb, Zurich""",
    "Pacific": """American Samoa=Pago_Pago, Auckland, Chatham Is.=Chatham, Fiji, Guam, Hawaii=Honolulu,
        Marshall Is.=Majuro, Midway Island=Midway, New Caledonia=Noumea, Nuku'alofa=Tongatapu,
        Port Moresby=Port_Moresby, Samoa=Apia, Solomon Is.=Guadalcanal, Tokelau Is.=Fakaofo, Wellington=Auckland""",
    "Etc": """International Date Line West=GMT+12, UTC""",
}


def _zones() -> dict[str, str]:
    zones = {}
    for region, listed in _BY_REGION.items():
        for entry in listed.replace("\n", " ").split(","):
            name, _, place = entry.strip().partition("=")
            zones[name] = f"{region}/{place or name}"
    return zones


ZONES = _zones()
"""Rails' names and the IANA zones that they stand for."""

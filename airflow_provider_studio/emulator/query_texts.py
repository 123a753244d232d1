# SPDX-License-Identifier: Apache-2.0
"""The SQL of seeded Reports: joins, CTEs, parameters with their forms, and definitions, as people write it."""

from __future__ import annotations

_SQL = """\
SELECT region, count(*) AS orders
FROM analytics.orders
GROUP BY region
;
SELECT c.segment, sum(o.amount) AS revenue
FROM analytics.orders o
JOIN crm.customers c ON c.id = o.customer_id
GROUP BY c.segment
;
WITH recent AS (
  SELECT user_id, min(at) AS first_seen FROM web.events WHERE at > current_date - 28 GROUP BY 1
)
SELECT u.country, count(*) AS users
FROM recent
JOIN crm.users u ON u.id = recent.user_id
GROUP BY 1
;
SELECT channel, sum(cost) AS cost
FROM marketing.spend
WHERE day >= '{{ since }}'
{% if region != 'all' %}
  AND region = '{{ region }}'
{% endif %}
GROUP BY channel

{% form %}
since:
  type: date
  default: 2026-01-01
region:
  type: select
  default: all
  options: [[All, all], [Europe, EU], [Americas, US]]
{% endform %}
;
SELECT p.region, count(*) AS paid
FROM {{ @paid_orders as p }}
GROUP BY p.region
;
SELECT priority, count(*) AS tickets
FROM support.tickets
-- FROM support.tickets_old
WHERE state <> 'closed'
GROUP BY priority
;
SELECT week, value
{% if grain == 'week' %}
FROM kpi.weekly
{% else %}
FROM kpi.monthly
{% endif %}
ORDER BY 1
;
SELECT count(*) AS rows
FROM staging.{{ table_name }}
"""
_TEXTS = _SQL.split(";\n")


def query_text(token: str, number: int) -> str:
    """Return the SQL of a Report's query.

    :param token: the Report's token, hexadecimal digits.
    :param number: the query's number in the Report, from 0.
    """
    return _TEXTS[(int(token[:6], 16) + number * 3) % len(_TEXTS)]

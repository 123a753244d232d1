--@ Daily revenue
--@ reads analytics.public.orders
SELECT TRUNC(ordered_at) AS day, SUM(amount) FROM Orders GROUP BY 1 ORDER BY 1

--@ Names in upper case
--@ reads analytics.sales.orders, analytics.sales.customers
SELECT C.SEGMENT, COUNT(*) FROM SALES.ORDERS O JOIN SALES.CUSTOMERS C ON C.ID = O.CUSTOMER_ID GROUP BY C.SEGMENT

--@ A quoted name is folded too
--@ reads analytics.sales.orders
select "ID" from "Sales"."Orders" limit 10

--@ Another database
--@ reads raw.stripe.charges
select date_part(year, created), count(*) from raw.stripe.charges group by 1

--@ An external schema
--@ reads analytics.spectrum.clickstream, analytics.public.users
select u.plan, count(*) from spectrum.clickstream c join users u on u.id = c.user_id
where c.day >= dateadd(day, -7, getdate()) group by 1

--@ Temporary table with a hash sign
--@ reads analytics.public.events
create table #active as select distinct user_id from events where at > dateadd(day, -28, sysdate);
select count(*) from #active

--@ Temporary table and a drop
--@ reads analytics.public.events, analytics.public.users
drop table if exists active_users_tmp;
create temp table active_users_tmp distkey(user_id) sortkey(last_seen) as
select user_id, max(at) as last_seen from events group by user_id;
select u.country, count(*) from active_users_tmp a join users u on u.id = a.user_id group by 1;

--@ Select into
--@ reads analytics.finance.ledger
select account, sum(amount) as balance into temp balances from finance.ledger group by account;
select * from balances where balance < 0;

--@ Unnesting a SUPER column
--@ reads analytics.sales.orders
select o.id, item.sku, item.quantity from sales.orders o, o.items item where item.quantity > 1

--@ Unnesting an element of a SUPER column
--@ reads analytics.web.sessions
select s.id, h.page from web.sessions as s, s.payload.hits as h

--@ Listagg
--@ reads analytics.crm.accounts, analytics.crm.tags
select a.id, listagg(distinct t.name, ', ') within group (order by t.name) as tags
from crm.accounts a left join crm.tags t on t.account_id = a.id group by a.id

--@ Tables of the system
--@ reads analytics.pg_catalog.stl_query, analytics.pg_catalog.svv_table_info
select q.query, t."table" from stl_query q cross join svv_table_info t where q.userid > 1

--@ Columns of the information schema
--@ reads analytics.information_schema.columns
select table_name, column_name from information_schema.columns where table_schema = 'sales'

--@ Approximate count
--@ reads analytics.web.events
select approximate count(distinct user_id) from web.events where at between '2026-01-01' and '2026-02-01'

--@ Nested subqueries
--@ reads analytics.sales.orders
select avg(n) from (select customer_id, count(*) as n from (select * from sales.orders where state = 'paid') p group by customer_id) c

--@ Numbers from a system function
--@ reads analytics.public.signups
with numbers as (select row_number() over () as n from signups limit 100)
select dateadd(month, n::int, '2020-01-01') from numbers

--@ Minus
--@ reads analytics.crm.leads, analytics.crm.customers
select email from crm.leads minus select email from crm.customers

--@ Generated days
--@ reads analytics.sales.orders
with days as (select (current_date - n)::date as day from generate_series(0, 89) as n)
select d.day, count(o.id) from days d left join sales.orders o on trunc(o.ordered_at) = d.day group by 1

--@ Insert from a select
--@ reads analytics.staging.orders
insert into sales.orders_copy (id, amount) select id, amount from staging.orders

--@ Window frames
--@ reads analytics.sales.orders
select day, sum(revenue) over (order by day rows between 27 preceding and current row)
from (select trunc(ordered_at) as day, sum(amount) as revenue from sales.orders group by 1)

--@ Ratio to report
--@ reads analytics.finance.costs
select team, ratio_to_report(sum(cost)) over () from finance.costs group by team

--@ Json functions
--@ reads analytics.web.events
select json_extract_path_text(payload, 'page', 'title'), count(*) from web.events where is_valid_json(payload) group by 1

--@ Convert and timezone
--@ reads analytics.support.tickets
select convert_timezone('UTC', 'Europe/Berlin', opened_at)::date, count(*) from support.tickets group by 1

--@ Case sensitivity of a CTE
--@ reads analytics.sales.orders
WITH Paid AS (SELECT * FROM sales.orders WHERE state = 'paid') SELECT COUNT(*) FROM PAID

--@ A search path
--@ reads analytics.marketing.spend
set search_path to marketing;
select channel, sum(cost) from spend group by channel;

--@ Query group before the query
--@ reads analytics.marketing.spend
set query_group to 'reports';
select sum(cost) from marketing.spend;

--@ Parameter without a form
--@ reads analytics.sales.orders
select * from sales.orders where customer_id = {{ customer_id }} limit {{ n }}

--@ Order by a parameter
--@ reads analytics.sales.orders
select customer_id, sum(amount) as total from sales.orders group by 1 order by total {{ direction }}

{% form %}
direction:
  type: select
  default: desc
  options: [[Largest first, desc], [Smallest first, asc]]
{% endform %}

--@ Else branches of a filter
--@ reads analytics.crm.accounts
select * from crm.accounts
where 1 = 1
{% if owner != 'all' %}
  and owner = '{{ owner }}'
{% endif %}
{% if tier == 'enterprise' %}
  and seats > 500
{% elsif tier == 'team' %}
  and seats between 10 and 500
{% else %}
  and seats < 10
{% endif %}

--@ Elsif with different tables
--@ reads analytics.kpi.daily, analytics.kpi.weekly, analytics.kpi.monthly
with source as (
  {% if grain == 'day' %} select * from kpi.daily
  {% elsif grain == 'week' %} select * from kpi.weekly
  {% else %} select * from kpi.monthly {% endif %}
)
select metric, max(value) from source group by 1

--@ Unless
--@ reads analytics.crm.accounts, analytics.crm.test_accounts
select a.* from crm.accounts a
{% unless include_tests == 'yes' %}
left join crm.test_accounts t on t.id = a.id where t.id is null
{% endunless %}

--@ Two independent choices
--@ reads analytics.sales.orders, analytics.sales.refunds, analytics.crm.accounts, analytics.crm.segments
select {{ dimension }}, count(*)
from {% if kind == 'refunds' %}sales.refunds{% else %}sales.orders{% endif %} f
{% if by_segment == 'yes' %}
join crm.segments s on s.account_id = f.account_id
{% else %}
join crm.accounts s on s.id = f.account_id
{% endif %}
group by 1

--@ Nested choices
--@ reads analytics.sales.orders_eu, analytics.sales.orders_eu_archive, analytics.sales.orders_us
select count(*) from
{% if region == 'EU' %}
  {% if archived == 'yes' %} sales.orders_eu_archive {% else %} sales.orders_eu {% endif %}
{% else %}
  sales.orders_us
{% endif %}

--@ Captured condition
--@ reads analytics.web.events
{% capture since %}dateadd(day, -{{ days }}, getdate()){% endcapture %}
select count(*) from web.events where at > {{ since }}
{% form %}
days:
  type: text
  default: 28
{% endform %}

--@ A choice of tables in a form
--@ reads analytics.finance.actuals, analytics.finance.forecast
select month, sum(amount) from finance.{{ scenario }} group by 1
{% form %}
scenario:
  type: select
  default: actuals
  options:
    - [Actuals, actuals]
    - [Forecast, forecast]
{% endform %}

--@ Definition with capital letters
--@ reads analytics.public.orders, analytics.public.refunds
select * from {{@paid_orders as p}} left join refunds r on r.order_id = p.id

--@ A definition of a definition
--@ reads analytics.public.orders
select count(*) from {{ @large_paid_orders as l }}

--@ White space control
--@ reads analytics.sales.orders
select count(*)
{%- if true -%}
  from sales.orders
{%- endif -%}

--@ Unload of a select
--@ reads analytics.sales.orders
unload ('select * from sales.orders') to 's3://exports/orders' iam_role default

--@ Truncated query
--@ reads unresolved
select customer_id, sum( from sales.orders group by

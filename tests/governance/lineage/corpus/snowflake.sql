--@ Revenue by month
--@ reads ANALYTICS.PUBLIC.ORDERS
select date_trunc('month', ordered_at) as month, sum(amount) as revenue
from orders
where state = 'paid'
group by 1
order by 1

--@ Orders with their customers
--@ reads ANALYTICS.SALES.ORDERS, ANALYTICS.SALES.CUSTOMERS
SELECT c.segment, COUNT(*) AS orders
FROM sales.orders o
JOIN sales.customers AS c ON c.id = o.customer_id
GROUP BY c.segment;

--@ Three-part names and a quoted one
--@ reads RAW.STRIPE.CHARGES, RAW.STRIPE."Refund Events"
select c.id, r."Amount"
from raw.stripe.charges c
left join raw.stripe."Refund Events" r on r."Charge" = c.id

--@ A chain of CTEs
--@ reads ANALYTICS.PUBLIC.EVENTS, ANALYTICS.PUBLIC.USERS
with sessions as (
  select user_id, session_id, min(at) as started_at from events group by 1, 2
),
daily as (
  select user_id, started_at::date as day, count(*) as sessions from sessions group by 1, 2
)
select u.country, d.day, sum(d.sessions)
from daily d
join users u on u.id = d.user_id
group by all

--@ A CTE with the name of the table that it reads
--@ reads ANALYTICS.PUBLIC.ORDERS
with orders as (
  select * from orders where not is_test
)
select count(*) from orders

--@ Flatten an array of items
--@ reads ANALYTICS.PUBLIC.ORDERS
select o.id, item.value:sku::string as sku, item.value:quantity::int as quantity
from orders o,
lateral flatten(input => o.items) item
where item.value:sku is not null

--@ Flatten through the table function
--@ reads ANALYTICS.EVENTS.RAW_EVENTS
select e.id, f.key, f.value
from events.raw_events e, table(flatten(input => e.payload:properties, mode => 'object')) f

--@ Days without sales
--@ reads ANALYTICS.PUBLIC.ORDERS
with days as (
  select dateadd(day, -seq4(), current_date) as day
  from table(generator(rowcount => 90))
)
select days.day, coalesce(count(o.id), 0) as orders
from days
left join orders o on o.ordered_at::date = days.day
group by 1

--@ The latest state of each subscription
--@ reads ANALYTICS.BILLING.SUBSCRIPTION_HISTORY
select *
from billing.subscription_history
qualify row_number() over (partition by subscription_id order by changed_at desc) = 1

--@ Union of two regions
--@ reads EU.SALES.ORDERS, US.SALES.ORDERS
select 'EU' as region, sum(amount) from eu.sales.orders
union all
select 'US', sum(amount) from us.sales.orders

--@ Time travel
--@ reads ANALYTICS.FINANCE.LEDGER
select account, sum(balance)
from finance.ledger at (timestamp => '2026-06-30 23:59:59'::timestamp_tz)
group by account

--@ Pivot of quarters
--@ reads ANALYTICS.FINANCE.BUDGET
select *
from (select department, quarter, amount from finance.budget)
pivot (sum(amount) for quarter in ('Q1', 'Q2', 'Q3', 'Q4')) as p (department, q1, q2, q3, q4)

--@ Anti-join with a subquery in the condition
--@ reads ANALYTICS.CRM.LEADS, ANALYTICS.CRM.UNSUBSCRIBED
select email from crm.leads
where email not in (select email from crm.unsubscribed)
  and created_at > dateadd('day', -30, current_timestamp())

--@ A temporary table of the same query
--@ reads ANALYTICS.PUBLIC.EVENTS
create temporary table active as
select distinct user_id from events where at > current_date - 28;
select count(*) from active;

--@ Session settings before the query
--@ reads ANALYTICS.SUPPORT.TICKETS
alter session set timezone = 'Europe/Berlin';
use warehouse reporting_wh;
select date_trunc('week', opened_at) as week, count(*) from support.tickets group by 1;

--@ A use of a schema
--@ reads ANALYTICS.SUPPORT.TICKETS, ANALYTICS.SUPPORT.AGENTS
use schema support;
select a.name, count(*) from tickets t join agents a on a.id = t.agent_id group by 1;

--@ A use of another database
--@ reads RAW.SUPPORT.TICKETS
use database raw;
use schema support;
select count(*) from tickets;

--@ A parameter in a condition, with its form
--@ reads ANALYTICS.PUBLIC.ORDERS
select * from orders
where region = '{{ region }}' and ordered_at >= '{{ since }}'

{% form %}

region:
    type: select
    default: EU
    options: [[Europe, EU], [Americas, US]]

since:
    type: date
    default: 2026-01-01

{% endform %}

--@ A multiple selection in a list
--@ reads ANALYTICS.PUBLIC.ORDERS
select country, sum(amount) from orders
where country in ({{ countries }})
group by 1

{% form %}
countries:
  type: multiselect
  default: [DE, FR]
  options:
    labels: country
    values: country
{% endform %}

--@ Tables that depend on a choice
--@ reads ANALYTICS.SALES.ORDERS_DAILY, ANALYTICS.SALES.ORDERS_MONTHLY
select period, revenue
{% if grain == 'day' %}
from sales.orders_daily
{% else %}
from sales.orders_monthly
{% endif %}
order by period

{% form %}
grain:
  type: select
  default: day
  options: [[Daily, day], [Monthly, month]]
{% endform %}

--@ A definition
--@ reads ANALYTICS.PUBLIC.ORDERS
select region, count(*) from {{ @paid_orders as paid }} group by 1

--@ A definition beside a table
--@ reads ANALYTICS.PUBLIC.ORDERS, ANALYTICS.CRM.ACCOUNTS
select a.name, sum(p.amount)
from crm.accounts a
join {{ @paid_orders as p }} on p.account_id = a.id
group by 1

--@ A definition that nobody can see
--@ reads unresolved
select * from {{ @deleted_definition as d }} limit 10

--@ A table whose name is typed in
--@ reads unresolved
select count(*) from analytics.public.{{ table_name }}

{% form %}
table_name:
  type: text
{% endform %}

--@ Commented-out tables
--@ reads ANALYTICS.PUBLIC.INVOICES
-- select * from old_invoices
/* from legacy.invoices
   join legacy.lines using (id) */
select * from invoices // from drafts
where state <> 'void'

--@ A table's name in a string
--@ reads ANALYTICS.OPS.AUDIT_TRAIL
select * from ops.audit_trail where message ilike '%select * from secrets.keys%'

--@ A recursive hierarchy
--@ reads ANALYTICS.HR.EMPLOYEES
with recursive chain (id, manager_id, depth) as (
  select id, manager_id, 0 from hr.employees where manager_id is null
  union all
  select e.id, e.manager_id, c.depth + 1 from hr.employees e join chain c on e.manager_id = c.id
)
select depth, count(*) from chain group by 1

--@ A name given by identifier()
--@ reads ANALYTICS.PUBLIC.ORDERS
select count(*) from identifier('analytics.public.orders')

--@ The current result of an earlier query
--@ reads unresolved
select * from table(result_scan(last_query_id()))

--@ Constants only
--@ reads nothing
select column1 as plan, column2 as price from values ('basic', 10), ('pro', 25)

--@ Funnel with match_recognize
--@ reads ANALYTICS.PUBLIC.EVENTS
select * from events
match_recognize (
  partition by user_id order by at
  measures first(a.at) as started, last(b.at) as finished
  one row per match
  pattern (a x* b)
  define a as name = 'signup', b as name = 'purchase'
)

--@ A scalar subquery and an exists
--@ reads ANALYTICS.PUBLIC.ORDERS, ANALYTICS.PUBLIC.FX_RATES, ANALYTICS.PUBLIC.REFUNDS
select o.id, o.amount * (select max(rate) from fx_rates f where f.currency = o.currency) as eur
from orders o
where not exists (select 1 from refunds r where r.order_id = o.id)

--@ Sample of a big table
--@ reads ANALYTICS.LOGS.REQUESTS
select status, count(*) * 100 as requests from logs.requests sample (1) group by 1

--@ Two dots and no schema
--@ reads RAW.PUBLIC.SIGNUPS
select count(*) from raw..signups

--@ Mixed case in quotes stays as it is
--@ reads ANALYTICS.PUBLIC."orders", ANALYTICS."Sales".TARGETS
select * from "orders" o join "Sales".targets t on t.month = o.month

--@ As-of join
--@ reads ANALYTICS.TRADING.TRADES, ANALYTICS.TRADING.QUOTES
select t.symbol, t.price, q.bid
from trading.trades t
asof join trading.quotes q match_condition (t.at >= q.at) on t.symbol = q.symbol

--@ A loop over regions
--@ reads ANALYTICS.SALES.ORDERS_EU, ANALYTICS.SALES.ORDERS_US, ANALYTICS.SALES.ORDERS_APAC
{% assign regions = 'eu,us,apac' | split: ',' %}
{% for region in regions %}
select '{{ region }}' as region, sum(amount) as revenue from sales.orders_{{ region }}
{% unless forloop.last %}union all{% endunless %}
{% endfor %}

--@ A variable for the schema
--@ reads ANALYTICS.REPORTING.KPIS
{% assign schema = 'reporting' %}
select name, value from {{ schema }}.kpis where day = current_date - 1

--@ Date range of a form
--@ reads ANALYTICS.MARKETING.SPEND, ANALYTICS.MARKETING.CHANNELS
select c.name, sum(s.cost)
from marketing.spend s
inner join marketing.channels c using (channel_id)
where s.day between '{{ period.start }}' and '{{ period.end }}'
{% if only_paid %} and c.is_paid {% endif %}
group by 1

{% form %}
period:
  type: date_range
  default:
    start: '2026-01-01'
    end: '2026-01-31'
only_paid:
  type: text
{% endform %}

--@ Hidden columns and a renamed one
--@ reads ANALYTICS.PRODUCT.FEATURES, ANALYTICS.PRODUCT.USAGE
select f.* exclude (owner_email) rename (id as feature_id), u.users
from product.features f
left join (
  select feature_id, count(distinct user_id) as users
  from product.usage
  where day >= dateadd(week, -4, current_date)
  group by 1
) u on u.feature_id = f.id

--@ Weekly signups
--@ reads analytics.public.users
SELECT date_trunc('week', created_at)::date AS week, count(*) FROM users GROUP BY 1

--@ Unquoted names are folded
--@ reads analytics.sales.orders
select COUNT(*) FROM Sales.ORDERS

--@ Quoted names are not
--@ reads analytics."Sales"."Orders", analytics.public."User"
select * from "Sales"."Orders" o join "User" u on u.id = o."userId"

--@ Distinct on
--@ reads analytics.billing.subscription_history
select distinct on (subscription_id) * from billing.subscription_history order by subscription_id, changed_at desc

--@ Generated days in PostgreSQL
--@ reads analytics.sales.orders
select d::date, count(o.id)
from generate_series(current_date - 89, current_date, interval '1 day') as d
left join sales.orders o on o.ordered_at::date = d
group by 1

--@ Lateral subquery
--@ reads analytics.crm.accounts, analytics.sales.orders
select a.name, last_order.amount
from crm.accounts a
cross join lateral (
  select o.amount from sales.orders o where o.account_id = a.id order by o.ordered_at desc limit 1
) last_order

--@ Elements of a JSON array
--@ reads analytics.sales.orders
select o.id, item ->> 'sku' from sales.orders o, jsonb_array_elements(o.items) as item

--@ Records of a JSON array
--@ reads analytics.web.payloads
select r.* from web.payloads p, lateral jsonb_to_recordset(p.body) as r(sku text, quantity int)

--@ Unnest with ordinality
--@ reads analytics.surveys.answers
select a.id, c.choice, c.position from surveys.answers a, unnest(a.choices) with ordinality as c(choice, position)

--@ Filtered aggregate
--@ reads analytics.support.tickets
select team, count(*) filter (where priority = 'high') as high, percentile_cont(0.5) within group (order by minutes) from support.tickets group by team

--@ Recursive CTE in PostgreSQL
--@ reads analytics.hr.people
with recursive chain as (
  select id, manager_id, 0 as depth from hr.people where manager_id is null
  union all
  select p.id, p.manager_id, c.depth + 1 from hr.people p join chain c on p.manager_id = c.id
)
select depth, count(*) from chain group by depth

--@ Materialized CTE
--@ reads analytics.web.events
with recent as materialized (select * from web.events where at > now() - interval '7 days')
select name, count(*) from recent group by name

--@ A CTE that is hidden by a schema
--@ reads analytics.sales.orders, analytics.archive.orders
with orders as (select * from sales.orders)
select count(*) from orders union all select count(*) from archive.orders

--@ A CTE within a subquery
--@ reads analytics.sales.orders, analytics.public.paid
select * from (with paid as (select * from sales.orders where state = 'paid') select count(*) from paid) x
cross join paid

--@ Only the parent table
--@ reads analytics.logs.requests
select count(*) from only logs.requests

--@ Table command
--@ reads analytics.public.plans
table plans

--@ Values as a table
--@ reads analytics.sales.orders
select v.label, count(o.id)
from (values ('small', 0, 100), ('large', 100, 100000)) as v(label, low, high)
left join sales.orders o on o.amount >= v.low and o.amount < v.high
group by 1

--@ Grouping sets
--@ reads analytics.sales.orders
select region, product, sum(amount) from sales.orders group by grouping sets ((region), (product), ())

--@ Except and intersect
--@ reads analytics.crm.leads, analytics.crm.customers, analytics.crm.partners
(select email from crm.leads except select email from crm.customers) intersect select email from crm.partners

--@ Array subquery
--@ reads analytics.crm.accounts, analytics.crm.tags
select a.id, array(select t.name from crm.tags t where t.account_id = a.id) from crm.accounts a

--@ Statistics of the server
--@ reads analytics.pg_catalog.pg_stat_activity
select state, count(*) from pg_stat_activity group by state

--@ Tables of the catalog
--@ reads analytics.pg_catalog.pg_class, analytics.pg_catalog.pg_namespace
select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace

--@ Crosstab of a query in a string
--@ reads analytics.sales.orders
select * from crosstab('select region, quarter, sum(amount) from sales.orders group by 1, 2') as t(region text, q1 numeric, q2 numeric)

--@ A join in parentheses
--@ reads analytics.sales.orders, analytics.sales.lines, analytics.sales.products
select * from (sales.orders o join sales.lines l on l.order_id = o.id) left join sales.products p on p.id = l.product_id

--@ Natural join
--@ reads analytics.hr.people, analytics.hr.departments
select count(*) from hr.people natural join hr.departments

--@ Deleting CTE
--@ reads analytics.queue.jobs
with gone as (delete from queue.jobs where done returning *) select count(*) from gone

--@ Dollar-quoted text
--@ reads analytics.ops.notes
select * from ops.notes where body = $$it's from old.notes; select 1$$

--@ Escaped text
--@ reads analytics.ops.notes
select * from ops.notes where body like E'it\'s from archive.notes%'

--@ A nested comment
--@ reads analytics.ops.notes
select /* one /* from two.three */ more */ count(*) from ops.notes

--@ Operators of ranges and full text
--@ reads analytics.docs.pages
select * from docs.pages where to_tsvector('english', body) @@ to_tsquery('from & join') and valid && daterange('2026-01-01', '2026-02-01')

--@ Temporary table in PostgreSQL
--@ reads analytics.web.events, analytics.crm.users
create temp table active on commit drop as select distinct user_id from web.events;
analyze active;
select count(*) from active join crm.users u on u.id = active.user_id;

--@ A set of the search path
--@ reads analytics.finance.ledger
set search_path = finance, public;
select sum(balance) from ledger;

--@ Within a transaction
--@ reads analytics.finance.ledger
begin;
set transaction read only;
select sum(balance) from finance.ledger;
commit;

--@ A parameter in an interval
--@ reads analytics.web.events
select count(*) from web.events where at > now() - interval '{{ days }} days'
{% form %}
days:
  type: text
  default: 7
{% endform %}

--@ A parameter as a column
--@ reads analytics.sales.orders
select {{ dimension }}, sum({{ measure }}) from sales.orders group by {{ dimension }} having sum({{ measure }}) > {{ threshold | default: 0 }}

--@ Filters of Liquid
--@ reads analytics.crm.accounts
{% assign names = customers | replace: "'", "''" | split: "," %}
select * from crm.accounts
where name in ({% for name in names %}'{{ name | strip }}'{% unless forloop.last %}, {% endunless %}{% endfor %})
{% form %}
customers:
  type: text
  default: Acme, Globex
{% endform %}

--@ A loop of joins
--@ reads analytics.sales.orders, analytics.sales.attributes
select o.id
{% for i in (1..3) %}, a{{ i }}.value as attribute_{{ i }}{% endfor %}
from sales.orders o
{% for i in (1..3) %}
left join sales.attributes a{{ i }} on a{{ i }}.order_id = o.id and a{{ i }}.position = {{ i }}
{% endfor %}

--@ A loop of unknown length
--@ reads analytics.web.events
select day
{% for event in events %}, count(case when name = '{{ event }}' then 1 end) as n_{{ forloop.index }}{% endfor %}
from web.events group by day

--@ A raw block
--@ reads analytics.cms.templates
select * from cms.templates where body like {% raw %}'%{{ name }}%'{% endraw %}

--@ A schema that depends on the country
--@ reads analytics.shop_de.orders, analytics.shop_fr.orders, analytics.shop_es.orders
select count(*) from shop_{{ country }}.orders
{% form %}
country:
  type: select
  default: de
  options:
    labels: [Germany, France, Spain]
    values: [de, fr, es]
{% endform %}

--@ A table in backticks
--@ reads acme-warehouse.sales.orders
SELECT DATE_TRUNC(ordered_at, MONTH) AS month, SUM(amount) AS revenue
FROM `acme-warehouse.sales.orders`
GROUP BY month

--@ Backticks around each part
--@ reads acme-warehouse.sales.orders, acme-raw.crm.accounts
SELECT a.name, COUNT(*)
FROM `acme-warehouse`.`sales`.`orders` o
JOIN `acme-raw`.crm.accounts a ON a.id = o.account_id
GROUP BY 1

--@ A project with hyphens and no backticks
--@ reads acme-raw.stripe.charges
SELECT id, amount FROM acme-raw.stripe.charges WHERE status = 'succeeded'

--@ The default project
--@ reads acme-warehouse.marketing.spend
select channel, sum(cost) from marketing.spend group by channel

--@ A wildcard table with a suffix
--@ reads acme-warehouse.analytics_123456.events_*
SELECT event_name, COUNT(*) AS events
FROM `acme-warehouse.analytics_123456.events_*`
WHERE _TABLE_SUFFIX BETWEEN '20260101' AND '20260131'
GROUP BY event_name

--@ A wildcard table and unnest
--@ reads acme-warehouse.analytics_123456.events_*
SELECT
  (SELECT value.string_value FROM UNNEST(event_params) WHERE key = 'page_location') AS page,
  COUNT(*)
FROM `analytics_123456.events_*`
GROUP BY 1

--@ Unnest with a comma
--@ reads acme-warehouse.sales.orders
SELECT o.id, item.sku, item.quantity
FROM sales.orders AS o, UNNEST(o.items) AS item

--@ A repeated field as a table
--@ reads acme-warehouse.sales.orders
SELECT o.id, item.sku
FROM sales.orders o, o.items item
WHERE item.quantity > 1

--@ A repeated field in a left join
--@ reads acme-warehouse.web.sessions
SELECT s.id, h.page.pagePath
FROM web.sessions s
LEFT JOIN s.hits h
WHERE s.day = '2026-03-01'

--@ Days from an array
--@ reads acme-warehouse.sales.orders
WITH days AS (
  SELECT day FROM UNNEST(GENERATE_DATE_ARRAY('2026-01-01', CURRENT_DATE())) AS day
)
SELECT day, COUNT(o.id)
FROM days LEFT JOIN sales.orders o ON DATE(o.ordered_at) = day
GROUP BY day

--@ Structs and the newest row
--@ reads acme-warehouse.crm.account_history
SELECT latest.*
FROM (
  SELECT ARRAY_AGG(h ORDER BY changed_at DESC LIMIT 1)[OFFSET(0)] AS latest
  FROM crm.account_history h
  GROUP BY h.account_id
)

--@ Qualify in BigQuery
--@ reads acme-warehouse.crm.account_history
SELECT * FROM crm.account_history
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY changed_at DESC) = 1

--@ Except and replace
--@ reads acme-warehouse.hr.people
SELECT * EXCEPT (salary) REPLACE (LOWER(email) AS email) FROM hr.people

--@ A CTE named like a dataset's table
--@ reads acme-warehouse.sales.orders
WITH orders AS (SELECT * FROM sales.orders WHERE state = 'paid')
SELECT COUNT(*) FROM orders

--@ Except distinct
--@ reads acme-warehouse.crm.leads, acme-warehouse.crm.customers
SELECT email FROM crm.leads
EXCEPT DISTINCT
SELECT email FROM crm.customers

--@ Time travel in BigQuery
--@ reads acme-warehouse.finance.ledger
SELECT SUM(balance)
FROM finance.ledger FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)

--@ A variable declared first
--@ reads acme-warehouse.sales.orders
DECLARE since DATE DEFAULT DATE_SUB(CURRENT_DATE(), INTERVAL 28 DAY);
SELECT COUNT(*) FROM sales.orders WHERE DATE(ordered_at) >= since;

--@ A function declared first
--@ reads acme-warehouse.web.pages
CREATE TEMP FUNCTION clean(path STRING) AS (REGEXP_REPLACE(path, r'\?.*$', ''));
SELECT clean(path), COUNT(*) FROM web.pages GROUP BY 1;

--@ A function in JavaScript
--@ reads acme-warehouse.web.pages
CREATE TEMP FUNCTION parse(s STRING) RETURNS STRING LANGUAGE js AS r"""
  return JSON.parse(s)["from"];
""";
SELECT parse(payload) FROM web.pages LIMIT 100;

--@ A temporary table
--@ reads acme-warehouse.web.events, acme-warehouse.crm.users
CREATE TEMP TABLE active AS
SELECT DISTINCT user_id FROM web.events WHERE day > DATE_SUB(CURRENT_DATE(), INTERVAL 7 DAY);
SELECT u.country, COUNT(*) FROM active a JOIN crm.users u ON u.id = a.user_id GROUP BY 1;

--@ Metadata of a dataset
--@ reads acme-warehouse.sales."INFORMATION_SCHEMA.TABLES"
SELECT table_name, creation_time FROM sales.INFORMATION_SCHEMA.TABLES

--@ Pivot in BigQuery
--@ reads acme-warehouse.finance.budget
SELECT * FROM (SELECT department, quarter, amount FROM finance.budget)
PIVOT (SUM(amount) FOR quarter IN ('Q1', 'Q2', 'Q3', 'Q4'))

--@ Unpivot in BigQuery
--@ reads acme-warehouse.finance.budget_wide
SELECT * FROM finance.budget_wide UNPIVOT (amount FOR quarter IN (q1, q2, q3, q4))

--@ Sampling
--@ reads acme-warehouse.logs.requests
SELECT status, COUNT(*) FROM logs.requests TABLESAMPLE SYSTEM (1 PERCENT) GROUP BY status

--@ A window with a name
--@ reads acme-warehouse.sales.orders
SELECT id, SUM(amount) OVER w FROM sales.orders
WINDOW w AS (PARTITION BY customer_id ORDER BY ordered_at ROWS UNBOUNDED PRECEDING)

--@ Recursive CTE
--@ reads acme-warehouse.hr.people
WITH RECURSIVE chain AS (
  SELECT id, manager_id, 0 AS depth FROM hr.people WHERE manager_id IS NULL
  UNION ALL
  SELECT p.id, p.manager_id, depth + 1 FROM hr.people p JOIN chain c ON p.manager_id = c.id
)
SELECT depth, COUNT(*) FROM chain GROUP BY depth

--@ Prediction of a model
--@ reads acme-warehouse.crm.accounts
SELECT * FROM ML.PREDICT(MODEL ml.churn, (SELECT * FROM crm.accounts WHERE active))

--@ A federated query
--@ reads unresolved
SELECT * FROM EXTERNAL_QUERY('eu.crm-connection', 'SELECT id, name FROM public.accounts')

--@ Parameters in a BigQuery condition
--@ reads acme-warehouse.sales.orders
SELECT * FROM `acme-warehouse.sales.orders`
WHERE DATE(ordered_at) BETWEEN DATE('{{ range.start }}') AND DATE('{{ range.end }}')
  AND country IN UNNEST(['{{ countries | join: "', '" }}'])
LIMIT {{ rows }}
{% form %}
range:
  type: date_range
  default:
    start: {{ 'now' | date: '%s' | minus: 2592000 | date: '%Y-%m-%d' }}
    end: {{ 'now' | date: '%Y-%m-%d' }}
countries:
  type: multiselect
  default: all
  options: [[Germany, DE], [France, FR]]
rows:
  type: text
  default: 1000
{% endform %}

--@ The choice of a dataset
--@ reads acme-warehouse.prod.users, acme-warehouse.staging.users
SELECT COUNT(*) FROM `acme-warehouse.{{ environment }}.users`
{% form %}
environment:
  type: select
  default: prod
  options: [[Production, prod], [Staging, staging]]
{% endform %}

--@ Case and when
--@ reads acme-warehouse.kpi.daily, acme-warehouse.kpi.weekly, acme-warehouse.kpi.monthly
SELECT * FROM
{% case grain %}
{% when 'day' %} kpi.daily
{% when 'week' %} kpi.weekly
{% else %} kpi.monthly
{% endcase %}
WHERE metric = '{{ metric }}'

--@ A join only if it is chosen
--@ reads acme-warehouse.sales.orders, acme-warehouse.marketing.attribution
SELECT o.id{% if with_channel == 'yes' %}, a.channel{% endif %}
FROM sales.orders o
{% if with_channel == 'yes' %}
LEFT JOIN marketing.attribution a ON a.order_id = o.id
{% endif %}

--@ A commented template
--@ reads acme-warehouse.support.tickets
{% comment %} SELECT * FROM support.tickets_old {% endcomment %}
SELECT priority, COUNT(*) FROM support.tickets GROUP BY priority

--@ A date in a table's name
--@ reads unresolved
SELECT COUNT(*) FROM `acme-warehouse.exports.users_{{ day }}`
{% form %}
day:
  type: date
{% endform %}

--@ Definition with columns of an array
--@ reads acme-warehouse.web.events, acme-warehouse.crm.users
SELECT u.plan, COUNT(DISTINCT e.user_id)
FROM {{ @active_users as e }}
JOIN crm.users u ON u.id = e.user_id
GROUP BY 1

--@ Scripting around the query
--@ reads acme-warehouse.sales.orders, acme-warehouse.sales.orders_archive
DECLARE total INT64;
SET total = (SELECT COUNT(*) FROM sales.orders);
SELECT total, COUNT(*) FROM sales.orders_archive;

--@ Dynamic SQL
--@ reads unresolved
DECLARE name STRING DEFAULT 'orders';
EXECUTE IMMEDIATE CONCAT('SELECT COUNT(*) FROM sales.', name);

--@ A table named in a comment and a string
--@ reads acme-warehouse.ops.jobs
# FROM ops.jobs_old
SELECT "FROM ops.jobs_legacy" AS note, COUNT(*) FROM ops.jobs -- JOIN ops.runs

--@ Hashing and geography
--@ reads acme-warehouse.geo.shops, acme-warehouse.geo.regions
SELECT r.name, COUNT(*)
FROM geo.shops AS s
JOIN geo.regions AS r ON ST_CONTAINS(r.shape, ST_GEOGPOINT(s.lon, s.lat))
WHERE MOD(FARM_FINGERPRINT(s.id), 10) = 0
GROUP BY r.name

--@ Pipe syntax
--@ reads acme-warehouse.sales.orders
FROM sales.orders
|> WHERE state = 'paid'
|> AGGREGATE SUM(amount) AS revenue GROUP BY country
|> ORDER BY revenue DESC

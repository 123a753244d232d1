--@ Events by day
--@ reads main.default.events
SELECT date_trunc('DAY', at) AS day, count(*) FROM events GROUP BY ALL

--@ Names in three parts
--@ reads main.sales.orders, raw.crm.accounts
SELECT a.name, sum(o.amount) FROM main.sales.orders o JOIN raw.crm.accounts a ON a.id = o.account_id GROUP BY a.name

--@ Backticks with hyphens
--@ reads prod-eu.sales.order-lines
SELECT * FROM `prod-eu`.sales.`order-lines` LIMIT 100

--@ Names are folded
--@ reads main.sales.orders
SELECT count(*) FROM Main.Sales.`ORDERS`

--@ Lateral view
--@ reads main.sales.orders
SELECT o.id, item.sku FROM sales.orders o LATERAL VIEW explode(o.items) items AS item

--@ Outer lateral view with positions
--@ reads main.web.sessions
SELECT s.id, pos, page FROM web.sessions s LATERAL VIEW OUTER posexplode(s.pages) p AS pos, page

--@ A join with explode
--@ reads main.sales.orders
SELECT o.id, i.col.sku FROM sales.orders AS o, LATERAL explode(o.items) AS i

--@ Fields of JSON
--@ reads main.web.events
SELECT payload:page.title::string AS title, count(*) FROM web.events GROUP BY 1

--@ Time travel by version
--@ reads main.finance.ledger
SELECT sum(balance) FROM finance.ledger VERSION AS OF 42

--@ Time travel by time
--@ reads main.finance.ledger
SELECT sum(balance) FROM finance.ledger TIMESTAMP AS OF '2026-06-30'

--@ Files of a lake
--@ reads nothing
SELECT count(*) FROM delta.`/mnt/lake/orders`

--@ Files read by a function
--@ reads nothing
SELECT * FROM read_files('s3://lake/orders/', format => 'json')

--@ Numbers
--@ reads main.sales.orders
SELECT r.id, count(o.id) FROM range(0, 24) r LEFT JOIN sales.orders o ON hour(o.ordered_at) = r.id GROUP BY r.id

--@ Semi and anti joins
--@ reads main.crm.leads, main.crm.customers, main.crm.blocked
SELECT * FROM crm.leads l LEFT SEMI JOIN crm.customers c ON c.email = l.email LEFT ANTI JOIN crm.blocked b ON b.email = l.email

--@ Pivot in Databricks
--@ reads main.finance.budget
SELECT * FROM (SELECT department, quarter, amount FROM finance.budget) PIVOT (sum(amount) FOR quarter IN ('Q1' AS q1, 'Q2' AS q2))

--@ Unpivot in Databricks
--@ reads main.finance.budget_wide
SELECT * FROM finance.budget_wide UNPIVOT INCLUDE NULLS (amount FOR quarter IN (q1, q2, q3, q4))

--@ Temporary view
--@ reads main.web.events
CREATE OR REPLACE TEMPORARY VIEW active AS SELECT DISTINCT user_id FROM web.events;
SELECT count(*) FROM active;

--@ Catalog and schema first
--@ reads prod.finance.ledger
USE CATALOG prod;
USE SCHEMA finance;
SELECT sum(balance) FROM ledger;

--@ Qualify in Databricks
--@ reads main.crm.account_history
SELECT * FROM crm.account_history QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY changed_at DESC) = 1

--@ Higher-order functions
--@ reads main.sales.orders
SELECT id, aggregate(transform(items, x -> x.price * x.quantity), 0D, (acc, x) -> acc + x) AS total FROM sales.orders

--@ From first
--@ reads main.sales.orders
FROM sales.orders SELECT count(*)

--@ Sample of a table
--@ reads main.logs.requests
SELECT status, count(*) FROM logs.requests TABLESAMPLE (1 PERCENT) GROUP BY status

--@ Rollup
--@ reads main.sales.orders
SELECT region, product, sum(amount) FROM sales.orders GROUP BY ROLLUP (region, product)

--@ System tables
--@ reads system.billing.usage
SELECT sku_name, sum(usage_quantity) FROM system.billing.usage WHERE usage_date > current_date() - 30 GROUP BY 1

--@ Changes of a table
--@ reads main.sales.orders
SELECT _change_type, count(*) FROM table_changes('main.sales.orders', 2, 10) GROUP BY 1

--@ A parameter as an identifier
--@ reads main.sales.orders
SELECT count(*) FROM IDENTIFIER('main.sales.orders')

--@ A long chain of CTEs
--@ reads main.web.events, main.crm.users, main.sales.orders
WITH visits AS (SELECT user_id, min(at) AS first_seen FROM web.events GROUP BY user_id),
buyers AS (SELECT user_id, min(ordered_at) AS first_order FROM sales.orders GROUP BY user_id),
joined AS (SELECT v.user_id, v.first_seen, b.first_order FROM visits v LEFT JOIN buyers b USING (user_id)),
labelled AS (SELECT j.*, u.country FROM joined j JOIN crm.users u ON u.id = j.user_id)
SELECT country, avg(datediff(first_order, first_seen)) FROM labelled GROUP BY country

--@ Values in Databricks
--@ reads main.sales.orders
SELECT t.label, count(*) FROM VALUES ('small', 0), ('large', 100) AS t(label, low) JOIN sales.orders o ON o.amount >= t.low GROUP BY 1

--@ A named parameter of the warehouse
--@ reads main.sales.orders
SELECT * FROM sales.orders WHERE region = :region

--@ Insert overwrite
--@ reads main.staging.orders, main.staging.lines
INSERT OVERWRITE TABLE sales.facts SELECT o.id, l.amount FROM staging.orders o JOIN staging.lines l ON l.order_id = o.id

--@ Merge
--@ reads main.staging.accounts
MERGE INTO crm.accounts t USING staging.accounts s ON s.id = t.id WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT *

--@ Streaming tables and live tables
--@ reads main.sales.orders
SELECT count(*) FROM STREAM(main.sales.orders)

--@ Date and list parameters
--@ reads main.marketing.spend
SELECT channel, sum(cost) FROM marketing.spend
WHERE day >= DATE '{{ since }}' AND channel IN ('{{ channels | join: "','" }}')
GROUP BY channel
{% form %}
since:
  type: date
  default: 2026-01-01
channels:
  type: multiselect
  default: [search, social]
  options: [[Search, search], [Social, social], [Mail, mail]]
{% endform %}

--@ A catalog that is chosen
--@ reads prod.sales.orders, dev.sales.orders
SELECT count(*) FROM {{ catalog }}.sales.orders
{% form %}
catalog:
  type: select
  default: prod
  options: [[Production, prod], [Development, dev]]
{% endform %}

--@ A choice within a CTE and a union
--@ reads main.sales.orders, main.sales.orders_archive, main.crm.accounts
WITH all_orders AS (
  SELECT * FROM sales.orders
  {% if history == 'yes' %}
  UNION ALL SELECT * FROM sales.orders_archive
  {% endif %}
)
SELECT a.name, count(*) FROM all_orders o JOIN crm.accounts a ON a.id = o.account_id GROUP BY a.name

--@ Definition and a CTE with its name
--@ reads main.default.events
WITH active AS (SELECT * FROM {{ @active_users as users }})
SELECT count(*) FROM active

--@ A whole clause as a parameter
--@ reads main.support.tickets
{% assign filter = "priority = 'high'" %}
SELECT count(*) FROM support.tickets WHERE {{ filter }}

--@ Computed table names
--@ reads main.logs.requests_2025, main.logs.requests_2026
{% assign years = "2025,2026" | split: "," %}
SELECT status, count(*) FROM (
{% for year in years %}
  {% if forloop.index > 1 %}UNION ALL{% endif %}
  SELECT status FROM logs.requests_{{ year }}
{% endfor %}
) GROUP BY status

--@ A table from an unknown list
--@ reads unresolved
{% for table in tables %}SELECT count(*) FROM main.sales.{{ table }}{% unless forloop.last %} UNION ALL {% endunless %}{% endfor %}
{% form %}
tables:
  type: multiselect
  options:
    labels: name
    values: name
{% endform %}

--@ Nothing but a form
--@ reads nothing
{% form %}
region:
  type: select
  options: [[EU, eu]]
{% endform %}

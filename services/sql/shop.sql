-- The sample: two years of the shop Larkspur & Finch. Every row is worked out from its number, so that it is the same everywhere.
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  city TEXT NOT NULL,
  country TEXT NOT NULL,
  joined_on TEXT NOT NULL,   -- yyyy-mm-dd
  club TEXT NOT NULL         -- none, silver or gold
);

CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  price_cents INTEGER NOT NULL,
  stock INTEGER NOT NULL
);

CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  ordered_on TEXT NOT NULL,  -- yyyy-mm-dd
  status TEXT NOT NULL       -- delivered, shipped, cancelled or returned
);

CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL,
  price_cents INTEGER NOT NULL, -- of one, on the day of the order
  PRIMARY KEY (order_id, product_id)
);

CREATE TABLE refunds (
  id INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  refunded_on TEXT NOT NULL, -- yyyy-mm-dd
  amount_cents INTEGER NOT NULL,
  reason TEXT NOT NULL       -- damaged, late, wrong item or changed mind
);

CREATE TEMP TABLE words (kind TEXT, place INTEGER, word TEXT);
INSERT INTO words VALUES
  ('first', 0, 'Ada'), ('first', 1, 'Bram'), ('first', 2, 'Chiara'), ('first', 3, 'Dario'), ('first', 4, 'Elif'),
  ('first', 5, 'Finn'), ('first', 6, 'Greta'), ('first', 7, 'Hugo'), ('first', 8, 'Ines'), ('first', 9, 'Jonas'),
  ('last', 0, 'Abel'), ('last', 1, 'Berg'), ('last', 2, 'Costa'), ('last', 3, 'Dahl'), ('last', 4, 'Egger'),
  ('last', 5, 'Fontaine'), ('last', 6, 'Gruber'),
  ('city', 0, 'Vienna'), ('city', 1, 'Lisbon'), ('city', 2, 'Utrecht'), ('city', 3, 'Lyon'), ('city', 4, 'Bergen'),
  ('country', 0, 'Austria'), ('country', 1, 'Portugal'), ('country', 2, 'Netherlands'), ('country', 3, 'France'),
  ('country', 4, 'Norway'),
  ('club', 0, 'none'), ('club', 1, 'none'), ('club', 2, 'silver'), ('club', 3, 'gold'),
  ('status', 0, 'delivered'), ('status', 1, 'delivered'), ('status', 2, 'delivered'), ('status', 3, 'shipped'),
  ('status', 4, 'delivered'), ('status', 5, 'returned'), ('status', 6, 'delivered'), ('status', 7, 'cancelled'),
  ('reason', 0, 'damaged'), ('reason', 1, 'late'), ('reason', 2, 'wrong item'), ('reason', 3, 'changed mind');

INSERT INTO products (id, name, category, price_cents, stock) VALUES
  (1, 'Teapot', 'kitchen', 3900, 41), (2, 'Tea cosy', 'kitchen', 1450, 18), (3, 'Butter dish', 'kitchen', 2200, 0),
  (4, 'Bread knife', 'kitchen', 4800, 27), (5, 'Pepper mill', 'kitchen', 3150, 63), (6, 'Linen apron', 'kitchen', 2700, 35),
  (7, 'Watering can', 'garden', 3300, 12), (8, 'Trowel', 'garden', 1900, 54), (9, 'Seed box', 'garden', 2450, 8),
  (10, 'Bird feeder', 'garden', 2850, 0), (11, 'Garden twine', 'garden', 650, 120), (12, 'Secateurs', 'garden', 5200, 22),
  (13, 'Wool blanket', 'home', 8900, 16), (14, 'Beeswax candle', 'home', 1150, 210), (15, 'Reading lamp', 'home', 7400, 9),
  (16, 'Willow basket', 'home', 4100, 30), (17, 'Door mat', 'home', 3600, 44), (18, 'Wall clock', 'home', 6500, 5),
  (19, 'Fountain pen', 'desk', 5900, 25), (20, 'Ink, blue', 'desk', 950, 88), (21, 'Notebook', 'desk', 1250, 140),
  (22, 'Letter opener', 'desk', 1800, 33), (23, 'Desk tray', 'desk', 3400, 0), (24, 'Paper weight', 'desk', 2100, 19);

WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 60)
INSERT INTO customers
SELECT
  n,
  (SELECT word FROM words WHERE kind = 'first' AND place = n * 7 % 10) || ' '
    || (SELECT word FROM words WHERE kind = 'last' AND place = n * 3 % 7),
  (SELECT word FROM words WHERE kind = 'city' AND place = n * n % 5),
  (SELECT word FROM words WHERE kind = 'country' AND place = n * n % 5),
  date('2024-01-01', '+' || (n * 37 % 600) || ' days'),
  (SELECT word FROM words WHERE kind = 'club' AND place = n % 4)
FROM number;

WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 400)
INSERT INTO orders
SELECT
  n,
  1 + n * 17 % 60,
  date('2024-03-01', '+' || (n * 2 + n % 3) || ' days'),
  (SELECT word FROM words WHERE kind = 'status' AND place = n * 5 % 8)
FROM number;

WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 2)
INSERT OR IGNORE INTO order_items
SELECT orders.id, products.id, 1 + (orders.id + n) % 3, products.price_cents
FROM orders
JOIN number ON n <= orders.id % 3
JOIN products ON products.id = 1 + (orders.id * 11 + n * 7) % 24
ORDER BY orders.id, n;

INSERT INTO refunds
SELECT
  row_number() OVER (ORDER BY orders.id),
  orders.id,
  date(orders.ordered_on, '+' || (5 + orders.id % 20) || ' days'),
  sum(order_items.quantity * order_items.price_cents),
  (SELECT word FROM words WHERE kind = 'reason' AND place = orders.id % 4)
FROM orders
JOIN order_items ON order_items.order_id = orders.id
WHERE orders.status = 'returned'
GROUP BY orders.id;

DROP TABLE words;

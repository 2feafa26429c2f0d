CREATE TABLE article (id INTEGER PRIMARY KEY, name TEXT, brand TEXT, price REAL, stock INTEGER);
CREATE TABLE sale (id INTEGER PRIMARY KEY, article_id INTEGER NOT NULL, sold_on DATE, quantity INTEGER, clerk TEXT);

-- What does the Ledger Pad A5 cost?
SELECT price FROM article WHERE name = 'Ledger Pad A5';

-- Which articles are made by the brand Kolibri?
SELECT name FROM article WHERE brand = 'Kolibri';

-- How many articles are out of stock, with a stock of 0?
SELECT COUNT(*) FROM article WHERE stock = 0;

-- Show name and stock of all articles of which fewer than 10 are left.
SELECT name, stock FROM article WHERE stock < 10;

-- Which brands do we carry?
SELECT DISTINCT brand FROM article;

-- How many units were sold on 2024-08-30?
SELECT SUM(quantity) FROM sale WHERE sold_on = '2024-08-30';

-- Find the articles with pencil in the name that cost no more than 3.
SELECT name FROM article WHERE name LIKE '%pencil%' AND price <= 3;

-- What is the average price of a Kolibri article?
SELECT AVG(price) FROM article WHERE brand = 'Kolibri';

-- On which dates did clerk Amina make a sale of more than 25 units?
SELECT sold_on FROM sale WHERE clerk = 'Amina' AND quantity > 25;

-- Give the name and price of the articles whose stock is unknown.
SELECT name, price FROM article WHERE stock IS NULL;

-- How many sales has each clerk made?
SELECT clerk, COUNT(*) FROM sale GROUP BY clerk;

-- What is the value of the stock of each brand, as price times stock?
SELECT brand, SUM(price * stock) FROM article GROUP BY brand;

-- List the ten cheapest articles with their prices.
SELECT name, price FROM article ORDER BY price LIMIT 10;

-- How many units of each article have been sold? Show name and units.
SELECT article.name, SUM(sale.quantity) FROM article JOIN sale ON sale.article_id = article.id GROUP BY article.id;

-- Which brands have an average price above 12?
SELECT brand FROM article GROUP BY brand HAVING AVG(price) > 12;

-- Which clerk has sold the most units?
SELECT clerk FROM sale GROUP BY clerk ORDER BY SUM(quantity) DESC LIMIT 1;

-- Who has sold Kolibri goods? Name each clerk once.
SELECT DISTINCT sale.clerk FROM sale JOIN article ON sale.article_id = article.id WHERE article.brand = 'Kolibri';

-- List the sales of the Ledger Pad A5 by date, with date and quantity.
SELECT sale.sold_on, sale.quantity FROM sale JOIN article ON sale.article_id = article.id WHERE article.name = 'Ledger Pad A5' ORDER BY sale.sold_on;

-- What is each clerk's turnover, that is, price times quantity summed over all sales?
SELECT sale.clerk, SUM(article.price * sale.quantity) FROM sale JOIN article ON sale.article_id = article.id GROUP BY sale.clerk;

-- Which articles have never been sold?
SELECT name FROM article WHERE id NOT IN (SELECT article_id FROM sale);

-- How many units did we sell in each month? Months like 2024-08.
SELECT strftime('%Y-%m', sold_on), SUM(quantity) FROM sale GROUP BY strftime('%Y-%m', sold_on);

-- Which articles cost more than twice the average price?
SELECT name FROM article WHERE price > 2 * (SELECT AVG(price) FROM article);

-- Mark each article 'reorder' when its stock is below 5 and 'fine' otherwise; give the name and the mark.
SELECT name, CASE WHEN stock < 5 THEN 'reorder' ELSE 'fine' END FROM article;

-- Which articles are not priced between 1 and 20? Name and price, please.
SELECT name, price FROM article WHERE price NOT BETWEEN 1 AND 20;

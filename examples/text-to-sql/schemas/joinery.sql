CREATE TABLE furniture_order (id INTEGER PRIMARY KEY, customer TEXT, piece TEXT, wood TEXT, price REAL, ordered DATE, delivered DATE);

-- Which customers ordered a wardrobe? Give each customer once.
SELECT DISTINCT customer FROM furniture_order WHERE piece = 'wardrobe';

-- How many pieces were made of walnut?
SELECT COUNT(*) FROM furniture_order WHERE wood = 'walnut';

-- What did order 77 cost?
SELECT price FROM furniture_order WHERE id = 77;

-- List customer and piece of all orders still to be delivered, having no delivery date.
SELECT customer, piece FROM furniture_order WHERE delivered IS NULL;

-- What kinds of wood do we work with?
SELECT DISTINCT wood FROM furniture_order;

-- What is the average price of an oak table?
SELECT AVG(price) FROM furniture_order WHERE wood = 'oak' AND piece = 'table';

-- Show the pieces and prices ordered by Tobias Renner.
SELECT piece, price FROM furniture_order WHERE customer = 'Tobias Renner';

-- How much money have ash and beech pieces brought in?
SELECT SUM(price) FROM furniture_order WHERE wood IN ('ash', 'beech');

-- Which orders, by id, were priced between 1200 and 1500?
SELECT id FROM furniture_order WHERE price BETWEEN 1200 AND 1500;

-- When was the first order placed?
SELECT MIN(ordered) FROM furniture_order;

-- Who ordered anything with the word bench in the piece's name after 2023-06-01?
SELECT customer FROM furniture_order WHERE piece LIKE '%bench%' AND ordered > '2023-06-01';

-- How many orders are there for each kind of piece?
SELECT piece, COUNT(*) FROM furniture_order GROUP BY piece;

-- What is the most popular wood?
SELECT wood FROM furniture_order GROUP BY wood ORDER BY COUNT(*) DESC LIMIT 1;

-- Rank our customers by what they have spent, biggest spender first, with name and total.
SELECT customer, SUM(price) FROM furniture_order GROUP BY customer ORDER BY SUM(price) DESC;

-- Which customers have placed more than two orders?
SELECT customer FROM furniture_order GROUP BY customer HAVING COUNT(*) > 2;

-- What are the five most expensive pieces in cherry? Show piece and price.
SELECT piece, price FROM furniture_order WHERE wood = 'cherry' ORDER BY price DESC LIMIT 5;

-- For each wood, what is the lowest and the highest price?
SELECT wood, MIN(price), MAX(price) FROM furniture_order GROUP BY wood;

-- Which piece is on average the most expensive?
SELECT piece FROM furniture_order GROUP BY piece ORDER BY AVG(price) DESC LIMIT 1;

-- List the undelivered orders, those without a delivery date, oldest first, with id and order date.
SELECT id, ordered FROM furniture_order WHERE delivered IS NULL ORDER BY ordered;

-- How many days passed between order and delivery? Show the id and the days for the delivered orders.
SELECT id, julianday(delivered) - julianday(ordered) FROM furniture_order WHERE delivered IS NOT NULL;

-- Which orders were dearer than the average walnut piece? Give id and price.
SELECT id, price FROM furniture_order WHERE price > (SELECT AVG(price) FROM furniture_order WHERE wood = 'walnut');

-- What was ordered in total, in money, per year of order?
SELECT strftime('%Y', ordered), SUM(price) FROM furniture_order GROUP BY strftime('%Y', ordered);

-- Which pieces have been made in oak but never in pine?
SELECT piece FROM furniture_order WHERE wood = 'oak' EXCEPT SELECT piece FROM furniture_order WHERE wood = 'pine';

-- Show each order's id and say 'delivered' if it has a delivery date and 'waiting' if it has none.
SELECT id, CASE WHEN delivered IS NOT NULL THEN 'delivered' ELSE 'waiting' END FROM furniture_order;

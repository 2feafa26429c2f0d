CREATE TABLE pastry (id INTEGER PRIMARY KEY, name TEXT, price REAL, gluten_free TEXT);
CREATE TABLE batch (id INTEGER PRIMARY KEY, pastry_id INTEGER NOT NULL, baked_on DATE, baker TEXT, pieces INTEGER, sold INTEGER);

-- What does one almond croissant cost?
SELECT price FROM pastry WHERE name = 'almond croissant';

-- Which pastries cost less than 2 euros?
SELECT name FROM pastry WHERE price < 2;

-- How many batches has Olga baked?
SELECT COUNT(*) FROM batch WHERE baker = 'Olga';

-- List name and price of every pastry whose gluten-free entry is 'yes'.
SELECT name, price FROM pastry WHERE gluten_free = 'yes';

-- What is the largest number of pieces ever baked in one batch?
SELECT MAX(pieces) FROM batch;

-- Who are our bakers? List each one once.
SELECT DISTINCT baker FROM batch;

-- How many pieces were sold from the batches of 2024-12-24?
SELECT SUM(sold) FROM batch WHERE baked_on = '2024-12-24';

-- Find the pastries with cinnamon in their name.
SELECT name FROM pastry WHERE name LIKE '%cinnamon%';

-- Which pastries are still without a price?
SELECT name FROM pastry WHERE price IS NULL;

-- Give the date and baker of every batch of which all pieces were sold.
SELECT baked_on, baker FROM batch WHERE sold = pieces;

-- How many pieces has each baker baked?
SELECT baker, SUM(pieces) FROM batch GROUP BY baker;

-- Rank the pastries by price from dear to cheap, showing name and price.
SELECT name, price FROM pastry ORDER BY price DESC;

-- Which pastries did Olga bake on 2024-05-01? Name each one once.
SELECT DISTINCT pastry.name FROM pastry JOIN batch ON batch.pastry_id = pastry.id WHERE batch.baker = 'Olga' AND batch.baked_on = '2024-05-01';

-- On which days were more than 600 pieces baked altogether?
SELECT baked_on FROM batch GROUP BY baked_on HAVING SUM(pieces) > 600;

-- How many of each pastry have been sold in total?
SELECT pastry.name, SUM(batch.sold) FROM pastry JOIN batch ON batch.pastry_id = pastry.id GROUP BY pastry.id;

-- What is our best seller, by pieces sold?
SELECT pastry.name FROM pastry JOIN batch ON batch.pastry_id = pastry.id GROUP BY pastry.id ORDER BY SUM(batch.sold) DESC LIMIT 1;

-- How does the average batch size differ between bakers?
SELECT baker, AVG(pieces) FROM batch GROUP BY baker;

-- What were the last three days on which a rye roll batch was baked?
SELECT batch.baked_on FROM batch JOIN pastry ON batch.pastry_id = pastry.id WHERE pastry.name = 'rye roll' ORDER BY batch.baked_on DESC LIMIT 3;

-- What did each pastry bring in? Multiply its price by the pieces sold and add up.
SELECT pastry.name, SUM(pastry.price * batch.sold) FROM pastry JOIN batch ON batch.pastry_id = pastry.id GROUP BY pastry.id;

-- Which pastries are dearer than average?
SELECT name FROM pastry WHERE price > (SELECT AVG(price) FROM pastry);

-- How many unsold pieces were left over each month? Write the month like 2024-03.
SELECT strftime('%Y-%m', baked_on), SUM(pieces - sold) FROM batch GROUP BY strftime('%Y-%m', baked_on);

-- What have we never baked, though it is on the price list?
SELECT name FROM pastry WHERE id NOT IN (SELECT pastry_id FROM batch);

-- Label every pastry 'cheap' if it costs under 2.5 and 'premium' otherwise; show the name and the label.
SELECT name, CASE WHEN price < 2.5 THEN 'cheap' ELSE 'premium' END FROM pastry;

-- Which pastries do not have the word nut in their name?
SELECT name FROM pastry WHERE name NOT LIKE '%nut%';

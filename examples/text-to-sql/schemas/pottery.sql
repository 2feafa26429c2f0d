CREATE TABLE potter (id INTEGER PRIMARY KEY, name TEXT, studio TEXT);
CREATE TABLE vessel (id INTEGER PRIMARY KEY, potter_id INTEGER, form TEXT, glaze TEXT, fired_on DATE, price REAL);

-- Who works in the Riverbank studio?
SELECT name FROM potter WHERE studio = 'Riverbank';

-- How many vessels are of the form teapot?
SELECT COUNT(*) FROM vessel WHERE form = 'teapot';

-- Which glazes do we use?
SELECT DISTINCT glaze FROM vessel;

-- Show form and price of every vessel with a celadon glaze.
SELECT form, price FROM vessel WHERE glaze = 'celadon';

-- What is the average price of a bowl?
SELECT AVG(price) FROM vessel WHERE form = 'bowl';

-- Which vessels have not been fired? Give id and form.
SELECT id, form FROM vessel WHERE fired_on IS NULL;

-- In which studio does Yuki Arai work?
SELECT studio FROM potter WHERE name = 'Yuki Arai';

-- List the id of every vase or jug that costs less than 45.
SELECT id FROM vessel WHERE form IN ('vase', 'jug') AND price < 45;

-- How many vessels left the kiln between 2024-02-01 and 2024-02-29?
SELECT COUNT(*) FROM vessel WHERE fired_on BETWEEN '2024-02-01' AND '2024-02-29';

-- What does the most expensive piece cost?
SELECT MAX(price) FROM vessel;

-- How many vessels of each form exist?
SELECT form, COUNT(*) FROM vessel GROUP BY form;

-- What is the most common glaze?
SELECT glaze FROM vessel GROUP BY glaze ORDER BY COUNT(*) DESC LIMIT 1;

-- List the forms Yuki Arai has made, each form once.
SELECT DISTINCT vessel.form FROM vessel JOIN potter ON vessel.potter_id = potter.id WHERE potter.name = 'Yuki Arai';

-- What is the total value of the vessels by each potter? Show the potter's name and the sum of prices.
SELECT potter.name, SUM(vessel.price) FROM potter JOIN vessel ON vessel.potter_id = potter.id GROUP BY potter.id;

-- Which forms sell for over 60 on average?
SELECT form FROM vessel GROUP BY form HAVING AVG(price) > 60;

-- Show the last ten vessels fired, with date and form, most recent first.
SELECT fired_on, form FROM vessel ORDER BY fired_on DESC LIMIT 10;

-- How many potters does each studio have?
SELECT studio, COUNT(*) FROM potter GROUP BY studio;

-- Give the potter and the price of each vessel with a tenmoku glaze.
SELECT potter.name, vessel.price FROM potter JOIN vessel ON vessel.potter_id = potter.id WHERE vessel.glaze = 'tenmoku';

-- Which potters have not made any vessel?
SELECT potter.name FROM potter LEFT JOIN vessel ON vessel.potter_id = potter.id WHERE vessel.id IS NULL;

-- Which vessels cost more than the average teapot? Show id and price.
SELECT id, price FROM vessel WHERE price > (SELECT AVG(price) FROM vessel WHERE form = 'teapot');

-- How many vessels were fired in each year?
SELECT strftime('%Y', fired_on), COUNT(*) FROM vessel GROUP BY strftime('%Y', fired_on);

-- Which glazes appear on the form bowl but not on the form teapot?
SELECT glaze FROM vessel WHERE form = 'bowl' EXCEPT SELECT glaze FROM vessel WHERE form = 'teapot';

-- Which studio has produced the most vessels?
SELECT potter.studio FROM potter JOIN vessel ON vessel.potter_id = potter.id GROUP BY potter.studio ORDER BY COUNT(*) DESC LIMIT 1;

-- For which potters is there no vessel with a celadon glaze?
SELECT name FROM potter WHERE NOT EXISTS (SELECT 1 FROM vessel WHERE vessel.potter_id = potter.id AND vessel.glaze = 'celadon');

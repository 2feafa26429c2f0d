CREATE TABLE bean (id INTEGER PRIMARY KEY, variety TEXT, country TEXT, altitude_m INTEGER, stock_kg REAL);
CREATE TABLE roast (id INTEGER PRIMARY KEY, bean_id INTEGER NOT NULL, level TEXT, roasted_on DATE, minutes REAL, score REAL);

-- Which varieties come from Ethiopia?
SELECT variety FROM bean WHERE country = 'Ethiopia';

-- How many kilos of beans are in stock altogether?
SELECT SUM(stock_kg) FROM bean;

-- How many roasts were done at the level medium?
SELECT COUNT(*) FROM roast WHERE level = 'medium';

-- Show variety and country of the beans grown above 1800 metres.
SELECT variety, country FROM bean WHERE altitude_m > 1800;

-- From which countries do we buy?
SELECT DISTINCT country FROM bean;

-- Which beans are sold out, with 0 kilos in stock? Give the variety.
SELECT variety FROM bean WHERE stock_kg = 0;

-- What is the best score any roast has received?
SELECT MAX(score) FROM roast;

-- On which dates did we roast for longer than 15.5 minutes?
SELECT roasted_on FROM roast WHERE minutes > 15.5;

-- How many roasts have not been scored?
SELECT COUNT(*) FROM roast WHERE score IS NULL;

-- List the varieties from Kenya or Rwanda with their stock.
SELECT variety, stock_kg FROM bean WHERE country IN ('Kenya', 'Rwanda');

-- How many kilos are in stock per country?
SELECT country, SUM(stock_kg) FROM bean GROUP BY country;

-- What is the average score for each roast level?
SELECT level, AVG(score) FROM roast GROUP BY level;

-- Which variety do we have most of?
SELECT variety FROM bean ORDER BY stock_kg DESC LIMIT 1;

-- Which countries supply more than three of our beans?
SELECT country FROM bean GROUP BY country HAVING COUNT(*) > 3;

-- List the roasts of Bourbon with date and level, newest first.
SELECT roast.roasted_on, roast.level FROM roast JOIN bean ON roast.bean_id = bean.id WHERE bean.variety = 'Bourbon' ORDER BY roast.roasted_on DESC;

-- What is the average score of the beans from each country?
SELECT bean.country, AVG(roast.score) FROM bean JOIN roast ON roast.bean_id = bean.id GROUP BY bean.country;

-- What are the top five roasts by score? Show the date and the score.
SELECT roasted_on, score FROM roast ORDER BY score DESC LIMIT 5;

-- At which levels has Bourbon been roasted? Each level once.
SELECT DISTINCT roast.level FROM roast JOIN bean ON roast.bean_id = bean.id WHERE bean.variety = 'Bourbon';

-- Which varieties have never been roasted?
SELECT variety FROM bean WHERE id NOT IN (SELECT bean_id FROM roast);

-- Which beans have at least one roast scored over 90? Give variety and country.
SELECT variety, country FROM bean WHERE EXISTS (SELECT 1 FROM roast WHERE roast.bean_id = bean.id AND roast.score > 90);

-- How many roasts did we do in May 2024?
SELECT COUNT(*) FROM roast WHERE strftime('%Y-%m', roasted_on) = '2024-05';

-- Which roasts scored above the average of all dark roasts? Give id and score.
SELECT id, score FROM roast WHERE score > (SELECT AVG(score) FROM roast WHERE level = 'dark');

-- Name all countries where a bean grows below 900 metres or where we hold more than 500 kilos of a bean, each country once.
SELECT country FROM bean WHERE altitude_m < 900 UNION SELECT country FROM bean WHERE stock_kg > 500;

-- For which beans is there no dark roast? Give the variety.
SELECT variety FROM bean WHERE NOT EXISTS (SELECT 1 FROM roast WHERE roast.bean_id = bean.id AND roast.level = 'dark');

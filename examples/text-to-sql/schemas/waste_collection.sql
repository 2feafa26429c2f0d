CREATE TABLE borough (id INTEGER PRIMARY KEY, name TEXT, households INTEGER);
CREATE TABLE pickup (id INTEGER PRIMARY KEY, borough_id INTEGER, waste TEXT, picked_on DATE, tonnes REAL, truck TEXT);

-- How many households does the borough of Eastcote have?
SELECT households FROM borough WHERE name = 'Eastcote';

-- Which boroughs have over 15000 households?
SELECT name FROM borough WHERE households > 15000;

-- How many pickups of glass were made?
SELECT COUNT(*) FROM pickup WHERE waste = 'glass';

-- What types of waste do we collect?
SELECT DISTINCT waste FROM pickup;

-- Show date and tonnes of all paper pickups heavier than 12 tonnes.
SELECT picked_on, tonnes FROM pickup WHERE waste = 'paper' AND tonnes > 12;

-- How many tonnes of compost were collected in total?
SELECT SUM(tonnes) FROM pickup WHERE waste = 'compost';

-- On which dates was truck W-12 out? Each date once.
SELECT DISTINCT picked_on FROM pickup WHERE truck = 'W-12';

-- For which pickups was no weight recorded? List the id and the truck.
SELECT id, truck FROM pickup WHERE tonnes IS NULL;

-- What is the number of households in the smallest borough?
SELECT MIN(households) FROM borough;

-- How many pickups took place between 2024-02-01 and 2024-02-14?
SELECT COUNT(*) FROM pickup WHERE picked_on BETWEEN '2024-02-01' AND '2024-02-14';

-- How many tonnes of each type of waste were picked up?
SELECT waste, SUM(tonnes) FROM pickup GROUP BY waste;

-- Rank the boroughs by households, most first, showing name and households.
SELECT name, households FROM borough ORDER BY households DESC;

-- Which trucks have moved more than 900 tonnes?
SELECT truck FROM pickup GROUP BY truck HAVING SUM(tonnes) > 900;

-- What was collected in Eastcote on 2024-02-05? Give waste and tonnes.
SELECT pickup.waste, pickup.tonnes FROM pickup JOIN borough ON pickup.borough_id = borough.id WHERE borough.name = 'Eastcote' AND pickup.picked_on = '2024-02-05';

-- How many tonnes came from each borough?
SELECT borough.name, SUM(pickup.tonnes) FROM borough JOIN pickup ON pickup.borough_id = borough.id GROUP BY borough.id;

-- On which single date did we collect the most tonnes overall?
SELECT picked_on FROM pickup GROUP BY picked_on ORDER BY SUM(tonnes) DESC LIMIT 1;

-- Which trucks have served Eastcote? No duplicates.
SELECT DISTINCT pickup.truck FROM pickup JOIN borough ON pickup.borough_id = borough.id WHERE borough.name = 'Eastcote';

-- What is the average load per pickup for each truck?
SELECT truck, AVG(tonnes) FROM pickup GROUP BY truck;

-- How many tonnes per household has each borough produced? Show the name and the total tonnes divided by the households.
SELECT borough.name, SUM(pickup.tonnes) / borough.households FROM borough JOIN pickup ON pickup.borough_id = borough.id GROUP BY borough.id;

-- Which boroughs had no pickup at all?
SELECT borough.name FROM borough LEFT JOIN pickup ON pickup.borough_id = borough.id WHERE pickup.id IS NULL;

-- How many tonnes were collected in each month? Write months like 2024-02.
SELECT strftime('%Y-%m', picked_on), SUM(tonnes) FROM pickup GROUP BY strftime('%Y-%m', picked_on);

-- Which boroughs have more households than the average borough?
SELECT name FROM borough WHERE households > (SELECT AVG(households) FROM borough);

-- Which boroughs have had glass collected but never compost?
SELECT borough.name FROM borough JOIN pickup ON pickup.borough_id = borough.id WHERE pickup.waste = 'glass' EXCEPT SELECT borough.name FROM borough JOIN pickup ON pickup.borough_id = borough.id WHERE pickup.waste = 'compost';

-- Show the type and weight of every load over 10 tonnes that was not glass.
SELECT waste, tonnes FROM pickup WHERE tonnes > 10 AND waste != 'glass';

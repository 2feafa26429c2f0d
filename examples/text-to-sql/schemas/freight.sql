CREATE TABLE depot (id INTEGER PRIMARY KEY, city TEXT, docks INTEGER);
CREATE TABLE truck (id INTEGER PRIMARY KEY, plate TEXT, depot_id INTEGER, max_tonnes REAL);
CREATE TABLE haul (id INTEGER PRIMARY KEY, truck_id INTEGER NOT NULL, cargo TEXT, tonnes REAL, km INTEGER, driven_on DATE);

-- Which cities have a depot with more than ten docks?
SELECT city FROM depot WHERE docks > 10;

-- How many trucks do we run?
SELECT COUNT(*) FROM truck;

-- What is the maximum load of the truck with plate KX-4471?
SELECT max_tonnes FROM truck WHERE plate = 'KX-4471';

-- List the cargo and tonnes of every haul longer than 800 km.
SELECT cargo, tonnes FROM haul WHERE km > 800;

-- How many kilometres were driven carrying timber?
SELECT SUM(km) FROM haul WHERE cargo = 'timber';

-- Which kinds of cargo have we carried?
SELECT DISTINCT cargo FROM haul;

-- Show me the plates of trucks that are not assigned to a depot.
SELECT plate FROM truck WHERE depot_id IS NULL;

-- What is the average load, in tonnes, of a cement haul?
SELECT AVG(tonnes) FROM haul WHERE cargo = 'cement';

-- Which plates begin with HB?
SELECT plate FROM truck WHERE plate LIKE 'HB%';

-- How many hauls of steel or gravel were there?
SELECT COUNT(*) FROM haul WHERE cargo IN ('steel', 'gravel');

-- How many tonnes of each cargo have been moved?
SELECT cargo, SUM(tonnes) FROM haul GROUP BY cargo;

-- Give the plates of the trucks based in Rotterdam.
SELECT truck.plate FROM truck JOIN depot ON truck.depot_id = depot.id WHERE depot.city = 'Rotterdam';

-- Which truck can carry the heaviest load? I need its plate.
SELECT plate FROM truck ORDER BY max_tonnes DESC LIMIT 1;

-- What distance has each truck driven in total? Show plate and kilometres.
SELECT truck.plate, SUM(haul.km) FROM truck JOIN haul ON haul.truck_id = truck.id GROUP BY truck.id;

-- Name the cargoes that were hauled more than 7 times.
SELECT cargo FROM haul GROUP BY cargo HAVING COUNT(*) > 7;

-- List all hauls of machinery by date, newest first, with date and km.
SELECT driven_on, km FROM haul WHERE cargo = 'machinery' ORDER BY driven_on DESC;

-- How many trucks are stationed in each city?
SELECT depot.city, COUNT(*) FROM depot JOIN truck ON truck.depot_id = depot.id GROUP BY depot.city;

-- Show date and cargo of the hauls done by KX-4471.
SELECT haul.driven_on, haul.cargo FROM haul JOIN truck ON haul.truck_id = truck.id WHERE truck.plate = 'KX-4471';

-- How many tonnes were hauled by trucks from the Rotterdam depot?
SELECT SUM(haul.tonnes) FROM haul JOIN truck ON haul.truck_id = truck.id JOIN depot ON truck.depot_id = depot.id WHERE depot.city = 'Rotterdam';

-- On which dates was a truck loaded beyond its maximum? Give date and plate.
SELECT haul.driven_on, truck.plate FROM haul JOIN truck ON haul.truck_id = truck.id WHERE haul.tonnes > truck.max_tonnes;

-- Which trucks have never done a haul? List the plates.
SELECT plate FROM truck WHERE id NOT IN (SELECT truck_id FROM haul);

-- What cargoes were carried from the Rotterdam depot but not from the Gdansk depot?
SELECT haul.cargo FROM haul JOIN truck ON haul.truck_id = truck.id JOIN depot ON truck.depot_id = depot.id WHERE depot.city = 'Rotterdam' EXCEPT SELECT haul.cargo FROM haul JOIN truck ON haul.truck_id = truck.id JOIN depot ON truck.depot_id = depot.id WHERE depot.city = 'Gdansk';

-- Count the hauls made in November 2023.
SELECT COUNT(*) FROM haul WHERE strftime('%Y-%m', driven_on) = '2023-11';

-- Which hauls were longer than 1500 km or heavier than 38 tonnes? Give the ids.
SELECT id FROM haul WHERE km > 1500 OR tonnes > 38;

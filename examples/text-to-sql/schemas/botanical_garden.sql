CREATE TABLE greenhouse (id INTEGER PRIMARY KEY, name TEXT, climate TEXT);
CREATE TABLE plant (id INTEGER PRIMARY KEY, greenhouse_id INTEGER, latin_name TEXT, family TEXT, height_cm REAL, acquired DATE);

-- Which greenhouses have a tropical climate?
SELECT name FROM greenhouse WHERE climate = 'tropical';

-- How many plants belong to the family Orchidaceae?
SELECT COUNT(*) FROM plant WHERE family = 'Orchidaceae';

-- How tall is our Aloe arborescens, in centimetres?
SELECT height_cm FROM plant WHERE latin_name = 'Aloe arborescens';

-- List the Latin names of plants taller than 300 cm.
SELECT latin_name FROM plant WHERE height_cm > 300;

-- Which plants stand outdoors, without a greenhouse? Latin names, please.
SELECT latin_name FROM plant WHERE greenhouse_id IS NULL;

-- How many plant families do we have?
SELECT COUNT(DISTINCT family) FROM plant;

-- Show Latin name and family of everything acquired on or before 1975-12-31.
SELECT latin_name, family FROM plant WHERE acquired <= '1975-12-31';

-- Find all plants of the genus Ficus, whose Latin names start with Ficus.
SELECT latin_name FROM plant WHERE latin_name LIKE 'Ficus%';

-- What climates are simulated in the greenhouses?
SELECT DISTINCT climate FROM greenhouse;

-- What is the average height of the Bromeliaceae?
SELECT AVG(height_cm) FROM plant WHERE family = 'Bromeliaceae';

-- How many plants are there in each family?
SELECT family, COUNT(*) FROM plant GROUP BY family;

-- What is the tallest plant in the garden? Give its Latin name and height.
SELECT latin_name, height_cm FROM plant ORDER BY height_cm DESC LIMIT 1;

-- List the plants growing in the Palm House.
SELECT plant.latin_name FROM plant JOIN greenhouse ON plant.greenhouse_id = greenhouse.id WHERE greenhouse.name = 'Palm House';

-- Which families are represented by more than five plants?
SELECT family FROM plant GROUP BY family HAVING COUNT(*) > 5;

-- How many plants does each greenhouse shelter? Show greenhouse and number.
SELECT greenhouse.name, COUNT(*) FROM greenhouse JOIN plant ON plant.greenhouse_id = greenhouse.id GROUP BY greenhouse.id;

-- What families grow in an arid climate? Each family once.
SELECT DISTINCT plant.family FROM plant JOIN greenhouse ON plant.greenhouse_id = greenhouse.id WHERE greenhouse.climate = 'arid';

-- List the five newest acquisitions with Latin name and date.
SELECT latin_name, acquired FROM plant ORDER BY acquired DESC LIMIT 5;

-- What is the average height of the plants under each climate?
SELECT greenhouse.climate, AVG(plant.height_cm) FROM greenhouse JOIN plant ON plant.greenhouse_id = greenhouse.id GROUP BY greenhouse.climate;

-- Which greenhouses are empty?
SELECT greenhouse.name FROM greenhouse LEFT JOIN plant ON plant.greenhouse_id = greenhouse.id WHERE plant.id IS NULL;

-- How many plants were acquired in 2018?
SELECT COUNT(*) FROM plant WHERE strftime('%Y', acquired) = '2018';

-- Which plants are taller than the average plant? Latin names only.
SELECT latin_name FROM plant WHERE height_cm > (SELECT AVG(height_cm) FROM plant);

-- Which families grow in both a tropical and an arid climate?
SELECT plant.family FROM plant JOIN greenhouse ON plant.greenhouse_id = greenhouse.id WHERE greenhouse.climate = 'tropical' INTERSECT SELECT plant.family FROM plant JOIN greenhouse ON plant.greenhouse_id = greenhouse.id WHERE greenhouse.climate = 'arid';

-- Which greenhouses have at least one plant of the family Cactaceae?
SELECT name FROM greenhouse WHERE EXISTS (SELECT 1 FROM plant WHERE plant.greenhouse_id = greenhouse.id AND plant.family = 'Cactaceae');

-- Which plants are neither Cactaceae nor Orchidaceae? Give their Latin names.
SELECT latin_name FROM plant WHERE family NOT IN ('Cactaceae', 'Orchidaceae');

CREATE TABLE hall (id INTEGER PRIMARY KEY, name TEXT, floor INTEGER);
CREATE TABLE artefact (id INTEGER PRIMARY KEY, hall_id INTEGER, title TEXT, culture TEXT, found_year INTEGER, insured_value REAL);

-- What are the titles of the Etruscan artefacts?
SELECT title FROM artefact WHERE culture = 'Etruscan';

-- How many halls are on floor 2?
SELECT COUNT(*) FROM hall WHERE floor = 2;

-- For how much is the Bronze Heron insured?
SELECT insured_value FROM artefact WHERE title = 'Bronze Heron';

-- Which artefacts are not assigned to any hall?
SELECT title FROM artefact WHERE hall_id IS NULL;

-- List title and culture of everything found before 1900.
SELECT title, culture FROM artefact WHERE found_year < 1900;

-- How many cultures are represented in the collection?
SELECT COUNT(DISTINCT culture) FROM artefact;

-- What is the total insured value of the Roman pieces?
SELECT SUM(insured_value) FROM artefact WHERE culture = 'Roman';

-- Which artefacts have the word mask in their title?
SELECT title FROM artefact WHERE title LIKE '%mask%';

-- Name every hall that is not on floor 0.
SELECT name FROM hall WHERE floor != 0;

-- Show the titles of Minoan or Mycenaean artefacts worth over 10000.
SELECT title FROM artefact WHERE culture IN ('Minoan', 'Mycenaean') AND insured_value > 10000;

-- How many artefacts does each culture account for?
SELECT culture, COUNT(*) FROM artefact GROUP BY culture;

-- What is the most valuable artefact in the museum?
SELECT title FROM artefact ORDER BY insured_value DESC LIMIT 1;

-- List the artefacts shown in the Amber Hall.
SELECT artefact.title FROM artefact JOIN hall ON artefact.hall_id = hall.id WHERE hall.name = 'Amber Hall';

-- How many halls does each floor have?
SELECT floor, COUNT(*) FROM hall GROUP BY floor;

-- Give every artefact's title together with the name of its hall.
SELECT artefact.title, hall.name FROM artefact JOIN hall ON artefact.hall_id = hall.id;

-- Which cultures have an average insured value of more than 50000?
SELECT culture FROM artefact GROUP BY culture HAVING AVG(insured_value) > 50000;

-- What is the insured value on each floor in total?
SELECT hall.floor, SUM(artefact.insured_value) FROM hall JOIN artefact ON artefact.hall_id = hall.id GROUP BY hall.floor;

-- Sort the Roman artefacts by the year they were found, latest first, and show title and year.
SELECT title, found_year FROM artefact WHERE culture = 'Roman' ORDER BY found_year DESC;

-- Which halls are empty?
SELECT hall.name FROM hall LEFT JOIN artefact ON artefact.hall_id = hall.id WHERE artefact.id IS NULL;

-- Which artefacts are insured for more than the average Roman piece?
SELECT title FROM artefact WHERE insured_value > (SELECT AVG(insured_value) FROM artefact WHERE culture = 'Roman');

-- Count the artefacts in every hall, including halls that have none.
SELECT hall.name, COUNT(artefact.id) FROM hall LEFT JOIN artefact ON artefact.hall_id = hall.id GROUP BY hall.id;

-- Which hall holds the greatest number of different cultures?
SELECT hall.name FROM hall JOIN artefact ON artefact.hall_id = hall.id GROUP BY hall.id ORDER BY COUNT(DISTINCT artefact.culture) DESC LIMIT 1;

-- Which cultures can be seen on floor 1 but not on floor 2?
SELECT artefact.culture FROM artefact JOIN hall ON artefact.hall_id = hall.id WHERE hall.floor = 1 EXCEPT SELECT artefact.culture FROM artefact JOIN hall ON artefact.hall_id = hall.id WHERE hall.floor = 2;

-- Which artefacts were not found between 1850 and 1950? Title and year, please.
SELECT title, found_year FROM artefact WHERE found_year NOT BETWEEN 1850 AND 1950;

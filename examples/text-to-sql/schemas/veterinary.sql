CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT, species TEXT, owner TEXT, weight_kg REAL);
CREATE TABLE treatment (id INTEGER PRIMARY KEY, animal_id INTEGER, vet TEXT, given_on DATE, procedure TEXT, cost REAL);

-- Which animals belong to Mrs Lindgren?
SELECT name FROM animal WHERE owner = 'Mrs Lindgren';

-- How many animals of the species goat are registered?
SELECT COUNT(*) FROM animal WHERE species = 'goat';

-- How heavy is Biscuit?
SELECT weight_kg FROM animal WHERE name = 'Biscuit';

-- What species do we treat here?
SELECT DISTINCT species FROM animal;

-- Show name and owner of every animal that weighs over 40 kg.
SELECT name, owner FROM animal WHERE weight_kg > 40;

-- How much was charged for dental cleaning overall?
SELECT SUM(cost) FROM treatment WHERE procedure = 'dental cleaning';

-- When did vet Paulsen perform an x-ray?
SELECT given_on FROM treatment WHERE vet = 'Paulsen' AND procedure = 'x-ray';

-- Which animals have not been weighed?
SELECT name FROM animal WHERE weight_kg IS NULL;

-- What is the cheapest treatment we have ever billed?
SELECT MIN(cost) FROM treatment;

-- List procedure and cost of the treatments given on 2024-06-11.
SELECT procedure, cost FROM treatment WHERE given_on = '2024-06-11';

-- How many animals of each species are there?
SELECT species, COUNT(*) FROM animal GROUP BY species;

-- What does each procedure cost on average?
SELECT procedure, AVG(cost) FROM treatment GROUP BY procedure;

-- Which procedures have been carried out more than 9 times?
SELECT procedure FROM treatment GROUP BY procedure HAVING COUNT(*) > 9;

-- List everything that was done for Biscuit, with the date first and then the procedure.
SELECT treatment.given_on, treatment.procedure FROM treatment JOIN animal ON treatment.animal_id = animal.id WHERE animal.name = 'Biscuit';

-- How much has each owner been charged in total?
SELECT animal.owner, SUM(treatment.cost) FROM animal JOIN treatment ON treatment.animal_id = animal.id GROUP BY animal.owner;

-- Name the heaviest rabbit in our books.
SELECT name FROM animal WHERE species = 'rabbit' ORDER BY weight_kg DESC LIMIT 1;

-- How many treatments did every vet give, busiest vet first?
SELECT vet, COUNT(*) FROM treatment GROUP BY vet ORDER BY COUNT(*) DESC;

-- Which species has vet Paulsen treated? Each species only once.
SELECT DISTINCT animal.species FROM animal JOIN treatment ON treatment.animal_id = animal.id WHERE treatment.vet = 'Paulsen';

-- Which owners have more animals here than Mrs Lindgren?
SELECT owner FROM animal GROUP BY owner HAVING COUNT(*) > (SELECT COUNT(*) FROM animal WHERE owner = 'Mrs Lindgren');

-- Which animals have no treatment on record?
SELECT animal.name FROM animal LEFT JOIN treatment ON treatment.animal_id = animal.id WHERE treatment.id IS NULL;

-- How many treatments did we give in April 2023?
SELECT COUNT(*) FROM treatment WHERE strftime('%Y-%m', given_on) = '2023-04';

-- Which animals have had at least one treatment costing more than 500? Give name and species.
SELECT name, species FROM animal WHERE EXISTS (SELECT 1 FROM treatment WHERE treatment.animal_id = animal.id AND treatment.cost > 500);

-- Which vets have done a vaccination but never an x-ray?
SELECT vet FROM treatment WHERE procedure = 'vaccination' EXCEPT SELECT vet FROM treatment WHERE procedure = 'x-ray';

-- List the names of all animals that are of the species cat or weigh less than 1.5 kg.
SELECT name FROM animal WHERE species = 'cat' OR weight_kg < 1.5;

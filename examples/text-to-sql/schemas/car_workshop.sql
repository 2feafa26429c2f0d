CREATE TABLE vehicle (plate TEXT PRIMARY KEY, make TEXT, model_year INTEGER, owner TEXT);
CREATE TABLE repair (id INTEGER PRIMARY KEY, plate TEXT NOT NULL, mechanic TEXT, fault TEXT, done_on DATE, hours REAL);

-- Who owns the car with plate BN-204-KR?
SELECT owner FROM vehicle WHERE plate = 'BN-204-KR';

-- How many repairs were for a worn clutch?
SELECT COUNT(*) FROM repair WHERE fault = 'worn clutch';

-- List the plates of all cars of the make Volvo.
SELECT plate FROM vehicle WHERE make = 'Volvo';

-- Which repairs are not finished? Give plate and fault where no completion date is set.
SELECT plate, fault FROM repair WHERE done_on IS NULL;

-- What is the total of hours worked by mechanic Sanchez?
SELECT SUM(hours) FROM repair WHERE mechanic = 'Sanchez';

-- Which makes do our customers drive?
SELECT DISTINCT make FROM vehicle;

-- Show plate and make of cars older than model year 2005.
SELECT plate, make FROM vehicle WHERE model_year < 2005;

-- How many repairs took more than 6 hours?
SELECT COUNT(*) FROM repair WHERE hours > 6;

-- What faults has Sanchez fixed on or after 2024-01-01? Each fault once.
SELECT DISTINCT fault FROM repair WHERE mechanic = 'Sanchez' AND done_on >= '2024-01-01';

-- What is the model year of the newest car?
SELECT MAX(model_year) FROM vehicle;

-- How many cars of each make do we look after?
SELECT make, COUNT(*) FROM vehicle GROUP BY make;

-- What is the most frequent fault?
SELECT fault FROM repair GROUP BY fault ORDER BY COUNT(*) DESC LIMIT 1;

-- How long does each fault take to fix on average, in hours?
SELECT fault, AVG(hours) FROM repair GROUP BY fault;

-- What faults have cars of the make Fiat had? List each fault once.
SELECT DISTINCT repair.fault FROM repair JOIN vehicle ON repair.plate = vehicle.plate WHERE vehicle.make = 'Fiat';

-- Show the owners and completion dates of all repairs by mechanic Ito.
SELECT vehicle.owner, repair.done_on FROM vehicle JOIN repair ON repair.plate = vehicle.plate WHERE repair.mechanic = 'Ito';

-- Which mechanics have put in over 200 hours?
SELECT mechanic FROM repair GROUP BY mechanic HAVING SUM(hours) > 200;

-- How many repair hours does each make account for?
SELECT vehicle.make, SUM(repair.hours) FROM vehicle JOIN repair ON repair.plate = vehicle.plate GROUP BY vehicle.make;

-- List the cars of Gita Rao from newest to oldest model year, showing plate and make.
SELECT plate, make FROM vehicle WHERE owner = 'Gita Rao' ORDER BY model_year DESC;

-- Which cars have had more than three repairs? Show plate and number of repairs.
SELECT plate, COUNT(*) FROM repair GROUP BY plate HAVING COUNT(*) > 3;

-- Which cars have never been in for repair? Plates, please.
SELECT plate FROM vehicle WHERE plate NOT IN (SELECT plate FROM repair);

-- How many repairs were completed in each month of 2023? Write the months like 2023-05.
SELECT strftime('%Y-%m', done_on), COUNT(*) FROM repair WHERE strftime('%Y', done_on) = '2023' GROUP BY strftime('%Y-%m', done_on);

-- Which repairs took longer than the average worn clutch? Return id and hours.
SELECT id, hours FROM repair WHERE hours > (SELECT AVG(hours) FROM repair WHERE fault = 'worn clutch');

-- Who owns both a Volvo and a Fiat?
SELECT owner FROM vehicle WHERE make = 'Volvo' INTERSECT SELECT owner FROM vehicle WHERE make = 'Fiat';

-- Give the owner and the model year of every car from 2015 or later that is not a Volvo.
SELECT owner, model_year FROM vehicle WHERE model_year >= 2015 AND make != 'Volvo';

CREATE TABLE meter (id INTEGER PRIMARY KEY, address TEXT, zone TEXT, fitted DATE);
CREATE TABLE water_bill (id INTEGER PRIMARY KEY, meter_id INTEGER NOT NULL, year INTEGER, cubic_metres REAL, amount REAL, paid_on DATE);

-- Which addresses are in the Upper Valley zone?
SELECT address FROM meter WHERE zone = 'Upper Valley';

-- How many bills are unpaid, with no payment date?
SELECT COUNT(*) FROM water_bill WHERE paid_on IS NULL;

-- How many cubic metres were billed for the year 2023?
SELECT SUM(cubic_metres) FROM water_bill WHERE year = 2023;

-- List address and zone of all meters fitted before 2001-01-01.
SELECT address, zone FROM meter WHERE fitted < '2001-01-01';

-- What zones does the network have?
SELECT DISTINCT zone FROM meter;

-- What was the highest bill of 2022?
SELECT MAX(amount) FROM water_bill WHERE year = 2022;

-- When was the meter at 8 Quarry Road fitted?
SELECT fitted FROM meter WHERE address = '8 Quarry Road';

-- Show meter id and amount of the 2023 bills above 900.
SELECT meter_id, amount FROM water_bill WHERE year = 2023 AND amount > 900;

-- Which addresses are on Quarry Road?
SELECT address FROM meter WHERE address LIKE '%Quarry Road';

-- How many different meters have ever had a bill for 0 cubic metres?
SELECT COUNT(DISTINCT meter_id) FROM water_bill WHERE cubic_metres = 0;

-- How many meters are installed in each zone?
SELECT zone, COUNT(*) FROM meter GROUP BY zone;

-- What was the average bill in each year?
SELECT year, AVG(amount) FROM water_bill GROUP BY year;

-- In which year was the most water billed?
SELECT year FROM water_bill GROUP BY year ORDER BY SUM(cubic_metres) DESC LIMIT 1;

-- Show the bills for 8 Quarry Road with year and amount, latest year first.
SELECT water_bill.year, water_bill.amount FROM water_bill JOIN meter ON water_bill.meter_id = meter.id WHERE meter.address = '8 Quarry Road' ORDER BY water_bill.year DESC;

-- How much water did each zone use in 2023, in cubic metres?
SELECT meter.zone, SUM(water_bill.cubic_metres) FROM meter JOIN water_bill ON water_bill.meter_id = meter.id WHERE water_bill.year = 2023 GROUP BY meter.zone;

-- Which zones have fewer than 50 meters?
SELECT zone FROM meter GROUP BY zone HAVING COUNT(*) < 50;

-- Which bills have no payment date? Give the address and the amount.
SELECT meter.address, water_bill.amount FROM meter JOIN water_bill ON water_bill.meter_id = meter.id WHERE water_bill.paid_on IS NULL;

-- Which five meters are the oldest? Give address and fitting date.
SELECT address, fitted FROM meter ORDER BY fitted LIMIT 5;

-- What does a cubic metre cost on each bill of 2024? Show the bill id and the amount divided by the cubic metres.
SELECT id, amount / cubic_metres FROM water_bill WHERE year = 2024;

-- Which meters have never been billed? Return the addresses.
SELECT address FROM meter WHERE id NOT IN (SELECT meter_id FROM water_bill);

-- How many meters were fitted per year?
SELECT strftime('%Y', fitted), COUNT(*) FROM meter GROUP BY strftime('%Y', fitted);

-- Which meters used more than the average of all bills in 2023? Give meter id and cubic metres for that year.
SELECT meter_id, cubic_metres FROM water_bill WHERE year = 2023 AND cubic_metres > (SELECT AVG(cubic_metres) FROM water_bill WHERE year = 2023);

-- Which meters have a bill for 2022 but none for 2023? Meter ids will do.
SELECT meter_id FROM water_bill WHERE year = 2022 EXCEPT SELECT meter_id FROM water_bill WHERE year = 2023;

-- List every bill's id with 'unpaid' if it has no payment date and 'paid' if it has one.
SELECT id, CASE WHEN paid_on IS NULL THEN 'unpaid' ELSE 'paid' END FROM water_bill;

CREATE TABLE gate (code TEXT PRIMARY KEY, terminal TEXT, seats INTEGER);
CREATE TABLE departure (id INTEGER PRIMARY KEY, gate_code TEXT, destination TEXT, carrier TEXT, leaves_on DATE, delay_minutes INTEGER);

-- Which gates are in terminal B?
SELECT code FROM gate WHERE terminal = 'B';

-- How many departures go to Lisbon?
SELECT COUNT(*) FROM departure WHERE destination = 'Lisbon';

-- What is the longest delay in minutes?
SELECT MAX(delay_minutes) FROM departure;

-- Show all destinations served by Nordwind Air, without repeats.
SELECT DISTINCT destination FROM departure WHERE carrier = 'Nordwind Air';

-- List the gate codes with fewer than 60 seats.
SELECT code FROM gate WHERE seats < 60;

-- Give destination and carrier of every departure delayed by more than 90 minutes.
SELECT destination, carrier FROM departure WHERE delay_minutes > 90;

-- Which terminal is gate C14 in?
SELECT terminal FROM gate WHERE code = 'C14';

-- How many departures have not been given a gate?
SELECT COUNT(*) FROM departure WHERE gate_code IS NULL;

-- How many carriers fly from here?
SELECT COUNT(DISTINCT carrier) FROM departure;

-- Find the dates of departures to Oslo or Bergen.
SELECT leaves_on FROM departure WHERE destination IN ('Oslo', 'Bergen');

-- What is the average delay of each carrier?
SELECT carrier, AVG(delay_minutes) FROM departure GROUP BY carrier;

-- How many gates are there per terminal?
SELECT terminal, COUNT(*) FROM gate GROUP BY terminal;

-- Which five destinations have the most departures?
SELECT destination FROM departure GROUP BY destination ORDER BY COUNT(*) DESC LIMIT 5;

-- Name the carriers whose average delay is above 25 minutes.
SELECT carrier FROM departure GROUP BY carrier HAVING AVG(delay_minutes) > 25;

-- How many departures leave from each terminal?
SELECT gate.terminal, COUNT(*) FROM gate JOIN departure ON departure.gate_code = gate.code GROUP BY gate.terminal;

-- What destinations can be reached from terminal A? No duplicates, please.
SELECT DISTINCT departure.destination FROM departure JOIN gate ON departure.gate_code = gate.code WHERE gate.terminal = 'A';

-- List gates from most to fewest seats.
SELECT code FROM gate ORDER BY seats DESC;

-- Which terminal offers the most seats over all its gates?
SELECT terminal FROM gate GROUP BY terminal ORDER BY SUM(seats) DESC LIMIT 1;

-- Which gates have no departures at all?
SELECT gate.code FROM gate LEFT JOIN departure ON departure.gate_code = gate.code WHERE departure.id IS NULL;

-- For each month, written like 2024-05, count the departures.
SELECT strftime('%Y-%m', leaves_on), COUNT(*) FROM departure GROUP BY strftime('%Y-%m', leaves_on);

-- Which destinations are served by both Nordwind Air and Sol Jet?
SELECT destination FROM departure WHERE carrier = 'Nordwind Air' INTERSECT SELECT destination FROM departure WHERE carrier = 'Sol Jet';

-- What gates have more seats than the average gate in terminal A?
SELECT code FROM gate WHERE seats > (SELECT AVG(seats) FROM gate WHERE terminal = 'A');

-- For every departure, show the destination and 'late' if the delay exceeds 15 minutes, otherwise 'on time'.
SELECT destination, CASE WHEN delay_minutes > 15 THEN 'late' ELSE 'on time' END FROM departure;

-- For which gates is there no departure by Sol Jet?
SELECT code FROM gate WHERE NOT EXISTS (SELECT 1 FROM departure WHERE departure.gate_code = gate.code AND departure.carrier = 'Sol Jet');

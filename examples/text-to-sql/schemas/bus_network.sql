CREATE TABLE bus_line (number TEXT PRIMARY KEY, start_stop TEXT, end_stop TEXT, km REAL);
CREATE TABLE bus_run (id INTEGER PRIMARY KEY, line_number TEXT NOT NULL, driver TEXT, run_on DATE, passengers INTEGER, minutes_late INTEGER);

-- Where does line 14A end?
SELECT end_stop FROM bus_line WHERE number = '14A';

-- How many lines start at Harbour Square?
SELECT COUNT(*) FROM bus_line WHERE start_stop = 'Harbour Square';

-- Which lines are longer than 20 km?
SELECT number FROM bus_line WHERE km > 20;

-- Show number, start and end of each line shorter than 5 km.
SELECT number, start_stop, end_stop FROM bus_line WHERE km < 5;

-- How many runs were exactly 0 minutes late?
SELECT COUNT(*) FROM bus_run WHERE minutes_late = 0;

-- How many passengers did we carry on 2024-10-03?
SELECT SUM(passengers) FROM bus_run WHERE run_on = '2024-10-03';

-- Who has driven line 7? Each driver once.
SELECT DISTINCT driver FROM bus_run WHERE line_number = '7';

-- On which dates did driver Kaminski have a run with no passenger count?
SELECT run_on FROM bus_run WHERE driver = 'Kaminski' AND passengers IS NULL;

-- Which lines start or end at the Hospital stop?
SELECT number FROM bus_line WHERE start_stop = 'Hospital' OR end_stop = 'Hospital';

-- What is the greatest delay of any run, in minutes?
SELECT MAX(minutes_late) FROM bus_run;

-- How many runs has each driver done?
SELECT driver, COUNT(*) FROM bus_run GROUP BY driver;

-- Which line carries the most passengers in total?
SELECT line_number FROM bus_run GROUP BY line_number ORDER BY SUM(passengers) DESC LIMIT 1;

-- Give the average delay for each line.
SELECT line_number, AVG(minutes_late) FROM bus_run GROUP BY line_number;

-- Which drivers are more than 6 minutes late on average?
SELECT driver FROM bus_run GROUP BY driver HAVING AVG(minutes_late) > 6;

-- List the lines by length, longest first, with their length in km.
SELECT number, km FROM bus_line ORDER BY km DESC;

-- Which drivers have done runs that start at Harbour Square? No repeats.
SELECT DISTINCT bus_run.driver FROM bus_run JOIN bus_line ON bus_run.line_number = bus_line.number WHERE bus_line.start_stop = 'Harbour Square';

-- How many kilometres has each driver covered, counting the length of the line for every run?
SELECT bus_run.driver, SUM(bus_line.km) FROM bus_run JOIN bus_line ON bus_run.line_number = bus_line.number GROUP BY bus_run.driver;

-- What were the five worst delays on line 7? Show the date and the minutes late, longest delay first.
SELECT run_on, minutes_late FROM bus_run WHERE line_number = '7' ORDER BY minutes_late DESC LIMIT 5;

-- For each end stop, how many passengers were taken there?
SELECT bus_line.end_stop, SUM(bus_run.passengers) FROM bus_line JOIN bus_run ON bus_run.line_number = bus_line.number GROUP BY bus_line.end_stop;

-- Which lines have never been run?
SELECT number FROM bus_line WHERE number NOT IN (SELECT line_number FROM bus_run);

-- Name every stop that is the start or the end of a line, each one once.
SELECT start_stop FROM bus_line UNION SELECT end_stop FROM bus_line;

-- How many passengers travelled in each month? Use months like 2024-10.
SELECT strftime('%Y-%m', run_on), SUM(passengers) FROM bus_run GROUP BY strftime('%Y-%m', run_on);

-- Which drivers have driven line 7 but not line 14A?
SELECT driver FROM bus_run WHERE line_number = '7' EXCEPT SELECT driver FROM bus_run WHERE line_number = '14A';

-- Class every line as 'short' when it is under 8 km and 'long' when it is not, showing the number first.
SELECT number, CASE WHEN km < 8 THEN 'short' ELSE 'long' END FROM bus_line;

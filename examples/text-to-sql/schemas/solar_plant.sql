CREATE TABLE panel_array (id INTEGER PRIMARY KEY, label TEXT, tilt_degrees REAL, peak_kw REAL, installed DATE);
CREATE TABLE output_log (id INTEGER PRIMARY KEY, array_id INTEGER, day DATE, kwh REAL, weather TEXT);

-- List the labels of all arrays with a peak output above 50 kW.
SELECT label FROM panel_array WHERE peak_kw > 50;

-- How many log entries were made in foggy weather?
SELECT COUNT(*) FROM output_log WHERE weather = 'foggy';

-- What is the combined peak power of all arrays?
SELECT SUM(peak_kw) FROM panel_array;

-- At what tilt is the array labelled South-3 mounted?
SELECT tilt_degrees FROM panel_array WHERE label = 'South-3';

-- Which arrays were installed between 2018-01-01 and 2020-12-31?
SELECT label FROM panel_array WHERE installed BETWEEN '2018-01-01' AND '2020-12-31';

-- What kinds of weather appear in the output log?
SELECT DISTINCT weather FROM output_log;

-- Give the day and the kWh of every entry below 10 kWh.
SELECT day, kwh FROM output_log WHERE kwh < 10;

-- What is the average daily output on sunny days?
SELECT AVG(kwh) FROM output_log WHERE weather = 'sunny';

-- Show label and tilt of the arrays whose label starts with East.
SELECT label, tilt_degrees FROM panel_array WHERE label LIKE 'East%';

-- On which days was no weather noted?
SELECT day FROM output_log WHERE weather IS NULL;

-- What did the whole plant produce on each day, in kWh?
SELECT day, SUM(kwh) FROM output_log GROUP BY day;

-- How does the mean output differ by weather?
SELECT weather, AVG(kwh) FROM output_log GROUP BY weather;

-- Which array is the oldest?
SELECT label FROM panel_array ORDER BY installed LIMIT 1;

-- Name the day with the greatest total output.
SELECT day FROM output_log GROUP BY day ORDER BY SUM(kwh) DESC LIMIT 1;

-- How much energy has every array produced so far? Show label and kWh.
SELECT panel_array.label, SUM(output_log.kwh) FROM panel_array JOIN output_log ON output_log.array_id = panel_array.id GROUP BY panel_array.id;

-- What was logged for South-3? List day and kWh.
SELECT output_log.day, output_log.kwh FROM output_log JOIN panel_array ON output_log.array_id = panel_array.id WHERE panel_array.label = 'South-3';

-- List the arrays by tilt, steepest first.
SELECT label FROM panel_array ORDER BY tilt_degrees DESC;

-- On which days did total output stay under 100 kWh?
SELECT day FROM output_log GROUP BY day HAVING SUM(kwh) < 100;

-- Which arrays have a higher peak power than the average array?
SELECT label FROM panel_array WHERE peak_kw > (SELECT AVG(peak_kw) FROM panel_array);

-- What was the total output per year?
SELECT strftime('%Y', day), SUM(kwh) FROM output_log GROUP BY strftime('%Y', day);

-- Are there arrays for which there is no log entry? Give their labels.
SELECT label FROM panel_array WHERE NOT EXISTS (SELECT 1 FROM output_log WHERE output_log.array_id = panel_array.id);

-- For each array, what is the average of kWh divided by peak kW? Show the label first.
SELECT panel_array.label, AVG(output_log.kwh / panel_array.peak_kw) FROM panel_array JOIN output_log ON output_log.array_id = panel_array.id GROUP BY panel_array.id;

-- On what day was the single highest kWh figure logged, and in what weather?
SELECT day, weather FROM output_log WHERE kwh = (SELECT MAX(kwh) FROM output_log);

-- Show the day of each log entry and call it 'strong' if it is above 200 kWh, otherwise 'weak'.
SELECT day, CASE WHEN kwh > 200 THEN 'strong' ELSE 'weak' END FROM output_log;

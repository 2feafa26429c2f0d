CREATE TABLE plot (id INTEGER PRIMARY KEY, name TEXT, grape TEXT, hectares REAL, planted DATE);
CREATE TABLE harvest (id INTEGER PRIMARY KEY, plot_id INTEGER, picked_on DATE, kilos REAL, sugar REAL);

-- Which plots grow Riesling?
SELECT name FROM plot WHERE grape = 'Riesling';

-- How many plots does the estate have?
SELECT COUNT(*) FROM plot;

-- Give the name and grape of each plot larger than 2.5 hectares.
SELECT name, grape FROM plot WHERE hectares > 2.5;

-- What different grapes are grown?
SELECT DISTINCT grape FROM plot;

-- List the plots planted before 1990-01-01.
SELECT name FROM plot WHERE planted < '1990-01-01';

-- How many hectares are under Silvaner in total?
SELECT SUM(hectares) FROM plot WHERE grape = 'Silvaner';

-- What was the highest sugar value measured at any harvest?
SELECT MAX(sugar) FROM harvest;

-- Show the picking date and kilos of every harvest whose sugar lies between 80 and 95.
SELECT picked_on, kilos FROM harvest WHERE sugar BETWEEN 80 AND 95;

-- When was the plot called Kirchberg planted?
SELECT planted FROM plot WHERE name = 'Kirchberg';

-- Which plots have no planting date on file?
SELECT name FROM plot WHERE planted IS NULL;

-- For each grape, how many plots are there?
SELECT grape, COUNT(*) FROM plot GROUP BY grape;

-- Name the three largest plots.
SELECT name FROM plot ORDER BY hectares DESC LIMIT 3;

-- What is the average size in hectares of the plots of each grape?
SELECT grape, AVG(hectares) FROM plot GROUP BY grape;

-- Which grapes are grown on more than four plots?
SELECT grape FROM plot GROUP BY grape HAVING COUNT(*) > 4;

-- Show the plot name and picking date of each harvest over 3000 kilos.
SELECT plot.name, harvest.picked_on FROM plot JOIN harvest ON harvest.plot_id = plot.id WHERE harvest.kilos > 3000;

-- How many kilos of Pinot Noir have been picked altogether?
SELECT SUM(harvest.kilos) FROM harvest JOIN plot ON harvest.plot_id = plot.id WHERE plot.grape = 'Pinot Noir';

-- List the plots with a known planting date and that date, oldest planting first.
SELECT name, planted FROM plot WHERE planted IS NOT NULL ORDER BY planted;

-- What is the total weight picked per grape?
SELECT plot.grape, SUM(harvest.kilos) FROM plot JOIN harvest ON harvest.plot_id = plot.id GROUP BY plot.grape;

-- Which plots are larger than the average plot?
SELECT name FROM plot WHERE hectares > (SELECT AVG(hectares) FROM plot);

-- How many kilos were picked in 2022?
SELECT SUM(kilos) FROM harvest WHERE strftime('%Y', picked_on) = '2022';

-- Which plots have no harvest recorded?
SELECT plot.name FROM plot LEFT JOIN harvest ON harvest.plot_id = plot.id WHERE harvest.id IS NULL;

-- For every harvest, give the plot name and the kilos picked per hectare.
SELECT plot.name, harvest.kilos / plot.hectares FROM plot JOIN harvest ON harvest.plot_id = plot.id;

-- Which plot has brought in the most kilos over all its harvests?
SELECT plot.name FROM plot JOIN harvest ON harvest.plot_id = plot.id GROUP BY plot.id ORDER BY SUM(harvest.kilos) DESC LIMIT 1;

-- Which plots grow Riesling or are smaller than 0.5 hectares?
SELECT name FROM plot WHERE grape = 'Riesling' OR hectares < 0.5;

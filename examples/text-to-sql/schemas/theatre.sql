CREATE TABLE play (id INTEGER PRIMARY KEY, title TEXT, playwright TEXT, acts INTEGER);
CREATE TABLE show_night (id INTEGER PRIMARY KEY, play_id INTEGER NOT NULL, staged_on DATE, stage TEXT, tickets_sold INTEGER, takings REAL);

-- Which plays were written by Nora Feld?
SELECT title FROM play WHERE playwright = 'Nora Feld';

-- How many acts does The Salt Road have?
SELECT acts FROM play WHERE title = 'The Salt Road';

-- On how many nights was the Cellar stage used?
SELECT COUNT(*) FROM show_night WHERE stage = 'Cellar';

-- List title and playwright of all plays with more than three acts.
SELECT title, playwright FROM play WHERE acts > 3;

-- What is the most money taken in a single night?
SELECT MAX(takings) FROM show_night;

-- Which stages do we perform on? Each one once.
SELECT DISTINCT stage FROM show_night;

-- For which plays is the number of acts missing?
SELECT title FROM play WHERE acts IS NULL;

-- On which dates did we sell fewer than 40 tickets?
SELECT staged_on FROM show_night WHERE tickets_sold < 40;

-- How many tickets were sold for the Cellar in all?
SELECT SUM(tickets_sold) FROM show_night WHERE stage = 'Cellar';

-- Show date and takings of the nights between 2023-10-01 and 2023-12-31.
SELECT staged_on, takings FROM show_night WHERE staged_on BETWEEN '2023-10-01' AND '2023-12-31';

-- How many plays has each playwright contributed?
SELECT playwright, COUNT(*) FROM play GROUP BY playwright;

-- What are the average ticket sales of each stage?
SELECT stage, AVG(tickets_sold) FROM show_night GROUP BY stage;

-- On which dates was The Salt Road staged?
SELECT show_night.staged_on FROM show_night JOIN play ON show_night.play_id = play.id WHERE play.title = 'The Salt Road';

-- How much has every play earned? Show the title and the total takings.
SELECT play.title, SUM(show_night.takings) FROM play JOIN show_night ON show_night.play_id = play.id GROUP BY play.id;

-- Name the playwrights with two or more plays in our repertoire.
SELECT playwright FROM play GROUP BY playwright HAVING COUNT(*) >= 2;

-- Which play has been staged most often?
SELECT play.title FROM play JOIN show_night ON show_night.play_id = play.id GROUP BY play.id ORDER BY COUNT(*) DESC LIMIT 1;

-- List the titles in alphabetical order.
SELECT title FROM play ORDER BY title;

-- How many tickets have been sold for the works of each playwright?
SELECT play.playwright, SUM(show_night.tickets_sold) FROM play JOIN show_night ON show_night.play_id = play.id GROUP BY play.playwright;

-- Which plays have never been staged?
SELECT title FROM play WHERE id NOT IN (SELECT play_id FROM show_night);

-- On which nights did we take less than half of the average takings? Give the dates.
SELECT staged_on FROM show_night WHERE takings < (SELECT AVG(takings) FROM show_night) / 2;

-- What were our total takings in each year?
SELECT strftime('%Y', staged_on), SUM(takings) FROM show_night GROUP BY strftime('%Y', staged_on);

-- Which plays have been shown on both the Cellar and the Main stage?
SELECT play.title FROM play JOIN show_night ON show_night.play_id = play.id WHERE show_night.stage = 'Cellar' INTERSECT SELECT play.title FROM play JOIN show_night ON show_night.play_id = play.id WHERE show_night.stage = 'Main';

-- For every show night, give the date and the takings per ticket sold.
SELECT staged_on, takings / tickets_sold FROM show_night;

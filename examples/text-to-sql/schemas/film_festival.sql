CREATE TABLE film (id INTEGER PRIMARY KEY, title TEXT, director TEXT, country TEXT, runtime INTEGER);
CREATE TABLE venue (id INTEGER PRIMARY KEY, name TEXT, capacity INTEGER);
CREATE TABLE screening (id INTEGER PRIMARY KEY, film_id INTEGER, venue_id INTEGER, shown_on DATE, audience INTEGER);

-- Which films come from Argentina?
SELECT title FROM film WHERE country = 'Argentina';

-- Who directed Paper Harbour?
SELECT director FROM film WHERE title = 'Paper Harbour';

-- How many films run for less than 30 minutes?
SELECT COUNT(*) FROM film WHERE runtime < 30;

-- How many people fit into the Odeon?
SELECT capacity FROM venue WHERE name = 'Odeon';

-- List title and runtime of the films by Aiko Tanabe.
SELECT title, runtime FROM film WHERE director = 'Aiko Tanabe';

-- What countries are represented at the festival?
SELECT DISTINCT country FROM film;

-- Which venues hold between 100 and 250 people?
SELECT name FROM venue WHERE capacity BETWEEN 100 AND 250;

-- How large was the biggest audience of all?
SELECT MAX(audience) FROM screening;

-- For which films do we not know the runtime?
SELECT title FROM film WHERE runtime IS NULL;

-- How many screenings take place on 2025-06-14?
SELECT COUNT(*) FROM screening WHERE shown_on = '2025-06-14';

-- How many films does each country enter?
SELECT country, COUNT(*) FROM film GROUP BY country;

-- Which directors have at least three films in the programme?
SELECT director FROM film GROUP BY director HAVING COUNT(*) >= 3;

-- Give the longest film and its runtime.
SELECT title, runtime FROM film ORDER BY runtime DESC LIMIT 1;

-- How many people came to see each film altogether? Title and total.
SELECT film.title, SUM(screening.audience) FROM film JOIN screening ON screening.film_id = film.id GROUP BY film.id;

-- When is Paper Harbour shown? List the dates from first to last.
SELECT screening.shown_on FROM screening JOIN film ON screening.film_id = film.id WHERE film.title = 'Paper Harbour' ORDER BY screening.shown_on;

-- What is the average audience of each venue?
SELECT venue.name, AVG(screening.audience) FROM venue JOIN screening ON screening.venue_id = venue.id GROUP BY venue.id;

-- What is the mean runtime of the films by country?
SELECT country, AVG(runtime) FROM film GROUP BY country;

-- List the venues from largest to smallest.
SELECT name FROM venue ORDER BY capacity DESC;

-- Which films are shown at the Odeon? List each title once.
SELECT DISTINCT film.title FROM film JOIN screening ON screening.film_id = film.id JOIN venue ON screening.venue_id = venue.id WHERE venue.name = 'Odeon';

-- Which screenings were sold out, the audience being as large as the capacity? Give the film title, the venue and the date.
SELECT film.title, venue.name, screening.shown_on FROM film JOIN screening ON screening.film_id = film.id JOIN venue ON screening.venue_id = venue.id WHERE screening.audience = venue.capacity;

-- Which films are not screened at all?
SELECT film.title FROM film LEFT JOIN screening ON screening.film_id = film.id WHERE screening.id IS NULL;

-- Which films run longer than the average film from France?
SELECT title FROM film WHERE runtime > (SELECT AVG(runtime) FROM film WHERE country = 'France');

-- Which countries have a film at the Odeon but none at the Lido?
SELECT film.country FROM film JOIN screening ON screening.film_id = film.id JOIN venue ON screening.venue_id = venue.id WHERE venue.name = 'Odeon' EXCEPT SELECT film.country FROM film JOIN screening ON screening.film_id = film.id JOIN venue ON screening.venue_id = venue.id WHERE venue.name = 'Lido';

-- Which films run between 80 and 100 minutes? Show the title and the country.
SELECT title, country FROM film WHERE runtime BETWEEN 80 AND 100;

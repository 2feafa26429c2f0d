CREATE TABLE trawler (id INTEGER PRIMARY KEY, name TEXT, skipper TEXT, length_m REAL, built INTEGER);
CREATE TABLE landing (id INTEGER PRIMARY KEY, trawler_id INTEGER NOT NULL, fish TEXT, kilos REAL, price_per_kilo REAL, landed_on DATE);

-- Who is the skipper of the Silver Petrel?
SELECT skipper FROM trawler WHERE name = 'Silver Petrel';

-- Which trawlers were built before 1985?
SELECT name FROM trawler WHERE built < 1985;

-- How many landings of haddock are on the books?
SELECT COUNT(*) FROM landing WHERE fish = 'haddock';

-- What kinds of fish are landed here? Each kind once.
SELECT DISTINCT fish FROM landing;

-- List name and length of the trawlers over 24.5 metres.
SELECT name, length_m FROM trawler WHERE length_m > 24.5;

-- What is the best price per kilo ever paid for turbot?
SELECT MAX(price_per_kilo) FROM landing WHERE fish = 'turbot';

-- How many kilos came ashore on 2024-03-08?
SELECT SUM(kilos) FROM landing WHERE landed_on = '2024-03-08';

-- Which landings have not been priced? Show fish and kilos.
SELECT fish, kilos FROM landing WHERE price_per_kilo IS NULL;

-- Which trawlers are between 10 and 15 metres long?
SELECT name FROM trawler WHERE length_m BETWEEN 10 AND 15;

-- Find the trawlers with Star anywhere in their name.
SELECT name FROM trawler WHERE name LIKE '%Star%';

-- How many kilos of each fish have been landed?
SELECT fish, SUM(kilos) FROM landing GROUP BY fish;

-- Which fish fetches the highest price per kilo on average?
SELECT fish FROM landing GROUP BY fish ORDER BY AVG(price_per_kilo) DESC LIMIT 1;

-- What has the Silver Petrel landed? Give the date, the fish and the kilos.
SELECT landing.landed_on, landing.fish, landing.kilos FROM landing JOIN trawler ON landing.trawler_id = trawler.id WHERE trawler.name = 'Silver Petrel';

-- What is the total catch in kilos of every trawler?
SELECT trawler.name, SUM(landing.kilos) FROM trawler JOIN landing ON landing.trawler_id = trawler.id GROUP BY trawler.id;

-- Name the fish of which we have landed less than 500 kilos altogether.
SELECT fish FROM landing GROUP BY fish HAVING SUM(kilos) < 500;

-- Show the three oldest trawlers and their skippers.
SELECT name, skipper FROM trawler ORDER BY built LIMIT 3;

-- Which skippers have landed monkfish? No repeats.
SELECT DISTINCT trawler.skipper FROM trawler JOIN landing ON landing.trawler_id = trawler.id WHERE landing.fish = 'monkfish';

-- When was the last landing of mackerel?
SELECT MAX(landed_on) FROM landing WHERE fish = 'mackerel';

-- How much money has each skipper made, adding up kilos times price per kilo?
SELECT trawler.skipper, SUM(landing.kilos * landing.price_per_kilo) FROM trawler JOIN landing ON landing.trawler_id = trawler.id GROUP BY trawler.skipper;

-- Which trawlers have never landed anything?
SELECT name FROM trawler WHERE id NOT IN (SELECT trawler_id FROM landing);

-- How many kilos were landed in each year?
SELECT strftime('%Y', landed_on), SUM(kilos) FROM landing GROUP BY strftime('%Y', landed_on);

-- Which trawlers are longer than the average trawler built after 2000?
SELECT name FROM trawler WHERE length_m > (SELECT AVG(length_m) FROM trawler WHERE built > 2000);

-- Which fish have been landed by the Silver Petrel but never by the Morning Gale?
SELECT landing.fish FROM landing JOIN trawler ON landing.trawler_id = trawler.id WHERE trawler.name = 'Silver Petrel' EXCEPT SELECT landing.fish FROM landing JOIN trawler ON landing.trawler_id = trawler.id WHERE trawler.name = 'Morning Gale';

-- List each trawler's name followed by 'old' if it was built before 1990 and 'modern' if not.
SELECT name, CASE WHEN built < 1990 THEN 'old' ELSE 'modern' END FROM trawler;

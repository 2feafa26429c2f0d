CREATE TABLE podcast (id INTEGER PRIMARY KEY, title TEXT, topic TEXT, host TEXT);
CREATE TABLE episode (id INTEGER PRIMARY KEY, podcast_id INTEGER, title TEXT, released DATE, minutes INTEGER, plays INTEGER);

-- Which podcasts deal with the topic gardening?
SELECT title FROM podcast WHERE topic = 'gardening';

-- Who hosts Night Trains?
SELECT host FROM podcast WHERE title = 'Night Trains';

-- How many episodes run longer than 60 minutes?
SELECT COUNT(*) FROM episode WHERE minutes > 60;

-- Show the title and plays of all episodes released on 2024-01-05.
SELECT title, plays FROM episode WHERE released = '2024-01-05';

-- How many plays have all episodes collected together?
SELECT SUM(plays) FROM episode;

-- Which topics are covered? Give each topic once.
SELECT DISTINCT topic FROM podcast;

-- List the episodes whose plays have not been counted.
SELECT title FROM episode WHERE plays IS NULL;

-- What is the length in minutes of the shortest episode?
SELECT MIN(minutes) FROM episode;

-- Which episodes have 'interview' in the title?
SELECT title FROM episode WHERE title LIKE '%interview%';

-- Give me title and host of the podcasts on history or politics.
SELECT title, host FROM podcast WHERE topic IN ('history', 'politics');

-- How many podcasts are there on each topic?
SELECT topic, COUNT(*) FROM podcast GROUP BY topic;

-- What are the titles of the ten most played episodes?
SELECT title FROM episode ORDER BY plays DESC LIMIT 10;

-- List every episode of Night Trains with its release date, in order of release.
SELECT episode.title, episode.released FROM episode JOIN podcast ON episode.podcast_id = podcast.id WHERE podcast.title = 'Night Trains' ORDER BY episode.released;

-- How many episodes has each podcast put out? Show podcast title and count.
SELECT podcast.title, COUNT(*) FROM podcast JOIN episode ON episode.podcast_id = podcast.id GROUP BY podcast.id;

-- Which hosts run more than one podcast?
SELECT host FROM podcast GROUP BY host HAVING COUNT(*) > 1;

-- What is the average number of plays per episode for each topic?
SELECT podcast.topic, AVG(episode.plays) FROM podcast JOIN episode ON episode.podcast_id = podcast.id GROUP BY podcast.topic;

-- How many minutes of audio has Leila Haddad hosted?
SELECT SUM(episode.minutes) FROM episode JOIN podcast ON episode.podcast_id = podcast.id WHERE podcast.host = 'Leila Haddad';

-- Sort the podcasts alphabetically by title and show their topics too.
SELECT title, topic FROM podcast ORDER BY title;

-- Which podcasts have at least one episode with over 100000 plays?
SELECT title FROM podcast WHERE EXISTS (SELECT 1 FROM episode WHERE episode.podcast_id = podcast.id AND episode.plays > 100000);

-- How many episodes were released in 2023?
SELECT COUNT(*) FROM episode WHERE strftime('%Y', released) = '2023';

-- Which episodes were played more often than the average episode?
SELECT title FROM episode WHERE plays > (SELECT AVG(plays) FROM episode);

-- Which podcasts have no episodes yet?
SELECT podcast.title FROM podcast LEFT JOIN episode ON episode.podcast_id = podcast.id WHERE episode.id IS NULL;

-- Which podcasts had their last release before 2022-01-01? Show the title and the date of that release.
SELECT podcast.title, MAX(episode.released) FROM podcast JOIN episode ON episode.podcast_id = podcast.id GROUP BY podcast.id HAVING MAX(episode.released) < '2022-01-01';

-- Which podcasts are about anything but politics?
SELECT title FROM podcast WHERE topic != 'politics';

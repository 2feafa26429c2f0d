CREATE TABLE programme (id INTEGER PRIMARY KEY, title TEXT, presenter TEXT, weekday TEXT, listeners INTEGER);
CREATE TABLE song_play (id INTEGER PRIMARY KEY, programme_id INTEGER, song TEXT, artist TEXT, played_on DATE);

-- Who presents Breakfast Atlas?
SELECT presenter FROM programme WHERE title = 'Breakfast Atlas';

-- Which programmes go out on Sunday?
SELECT title FROM programme WHERE weekday = 'Sunday';

-- How many programmes have more than 75000 listeners?
SELECT COUNT(*) FROM programme WHERE listeners > 75000;

-- List the songs by Velvet Moraine that we have played, each song once.
SELECT DISTINCT song FROM song_play WHERE artist = 'Velvet Moraine';

-- Show title and presenter of the programmes on Saturday or Sunday.
SELECT title, presenter FROM programme WHERE weekday IN ('Saturday', 'Sunday');

-- How many different artists have been on air?
SELECT COUNT(DISTINCT artist) FROM song_play;

-- On which dates was the song Paper Lantern played?
SELECT played_on FROM song_play WHERE song = 'Paper Lantern';

-- What is the lowest number of listeners of any programme?
SELECT MIN(listeners) FROM programme;

-- Which programmes lack a figure for their listeners?
SELECT title FROM programme WHERE listeners IS NULL;

-- What songs were played on 2023-12-31, and by which artists?
SELECT song, artist FROM song_play WHERE played_on = '2023-12-31';

-- How many programmes are broadcast on each weekday?
SELECT weekday, COUNT(*) FROM programme GROUP BY weekday;

-- Which artist is played most often?
SELECT artist FROM song_play GROUP BY artist ORDER BY COUNT(*) DESC LIMIT 1;

-- What is the total number of listeners per presenter?
SELECT presenter, SUM(listeners) FROM programme GROUP BY presenter;

-- List the songs and artists played in Breakfast Atlas.
SELECT song_play.song, song_play.artist FROM song_play JOIN programme ON song_play.programme_id = programme.id WHERE programme.title = 'Breakfast Atlas';

-- Which artists have been played more than twice?
SELECT artist FROM song_play GROUP BY artist HAVING COUNT(*) > 2;

-- How many songs has each programme played? Give title and count.
SELECT programme.title, COUNT(*) FROM programme JOIN song_play ON song_play.programme_id = programme.id GROUP BY programme.id;

-- Show the programmes from most to fewest listeners, with both columns.
SELECT title, listeners FROM programme ORDER BY listeners DESC;

-- Which presenters have played Velvet Moraine? No repeats.
SELECT DISTINCT programme.presenter FROM programme JOIN song_play ON song_play.programme_id = programme.id WHERE song_play.artist = 'Velvet Moraine';

-- Which programmes have no song on record?
SELECT programme.title FROM programme LEFT JOIN song_play ON song_play.programme_id = programme.id WHERE song_play.id IS NULL;

-- Which programmes have more listeners than the average programme on Monday?
SELECT title FROM programme WHERE listeners > (SELECT AVG(listeners) FROM programme WHERE weekday = 'Monday');

-- How many songs did we play in June 2024?
SELECT COUNT(*) FROM song_play WHERE strftime('%Y-%m', played_on) = '2024-06';

-- Which artists have been played in Breakfast Atlas but not in Harbour Lights?
SELECT song_play.artist FROM song_play JOIN programme ON song_play.programme_id = programme.id WHERE programme.title = 'Breakfast Atlas' EXCEPT SELECT song_play.artist FROM song_play JOIN programme ON song_play.programme_id = programme.id WHERE programme.title = 'Harbour Lights';

-- Which programmes have played at least one song by The Quiet Tides?
SELECT title FROM programme WHERE EXISTS (SELECT 1 FROM song_play WHERE song_play.programme_id = programme.id AND song_play.artist = 'The Quiet Tides');

-- Make one list of all presenters and all artists, without repeats.
SELECT presenter FROM programme UNION SELECT artist FROM song_play;

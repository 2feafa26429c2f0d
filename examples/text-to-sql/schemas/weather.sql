CREATE TABLE weather_post (id INTEGER PRIMARY KEY, place TEXT, altitude_m INTEGER, country TEXT);
CREATE TABLE observation (id INTEGER PRIMARY KEY, post_id INTEGER, day DATE, temp_max REAL, rain_mm REAL, wind_kmh REAL);

-- Which places have a weather post above 1500 metres?
SELECT place FROM weather_post WHERE altitude_m > 1500;

-- How many posts are in Austria?
SELECT COUNT(*) FROM weather_post WHERE country = 'Austria';

-- What is the highest temperature on record?
SELECT MAX(temp_max) FROM observation;

-- Show day and rain of all observations with more than 50 mm of rain.
SELECT day, rain_mm FROM observation WHERE rain_mm > 50;

-- At what altitude is the post in Hallstein?
SELECT altitude_m FROM weather_post WHERE place = 'Hallstein';

-- In how many different countries do we have posts?
SELECT COUNT(DISTINCT country) FROM weather_post;

-- On which days was the wind reading missing? List each day once.
SELECT DISTINCT day FROM observation WHERE wind_kmh IS NULL;

-- Give place and country of the posts lying between 200 and 400 metres.
SELECT place, country FROM weather_post WHERE altitude_m BETWEEN 200 AND 400;

-- How many observations combine wind over 100 km/h with exactly 0 mm of rain?
SELECT COUNT(*) FROM observation WHERE wind_kmh > 100 AND rain_mm = 0;

-- What was the average maximum temperature on 2022-07-19?
SELECT AVG(temp_max) FROM observation WHERE day = '2022-07-19';

-- How many posts does each country have?
SELECT country, COUNT(*) FROM weather_post GROUP BY country;

-- Name the five highest posts with their altitude.
SELECT place, altitude_m FROM weather_post ORDER BY altitude_m DESC LIMIT 5;

-- How much rain has fallen at each place in total?
SELECT weather_post.place, SUM(observation.rain_mm) FROM weather_post JOIN observation ON observation.post_id = weather_post.id GROUP BY weather_post.id;

-- On which day was the lowest daily maximum temperature measured in Hallstein?
SELECT observation.day FROM observation JOIN weather_post ON observation.post_id = weather_post.id WHERE weather_post.place = 'Hallstein' ORDER BY observation.temp_max LIMIT 1;

-- Which countries have more than six posts?
SELECT country FROM weather_post GROUP BY country HAVING COUNT(*) > 6;

-- What is the average altitude of the posts in each country, highest average first?
SELECT country, AVG(altitude_m) FROM weather_post GROUP BY country ORDER BY AVG(altitude_m) DESC;

-- What was the strongest wind measured in each country?
SELECT weather_post.country, MAX(observation.wind_kmh) FROM weather_post JOIN observation ON observation.post_id = weather_post.id GROUP BY weather_post.country;

-- Where did it get hotter than 38 degrees? Give the place and the day.
SELECT weather_post.place, observation.day FROM weather_post JOIN observation ON observation.post_id = weather_post.id WHERE observation.temp_max > 38;

-- What was the total rainfall in each month? Use months like 2022-07.
SELECT strftime('%Y-%m', day), SUM(rain_mm) FROM observation GROUP BY strftime('%Y-%m', day);

-- Which posts have sent no observations? Give their places.
SELECT weather_post.place FROM weather_post LEFT JOIN observation ON observation.post_id = weather_post.id WHERE observation.id IS NULL;

-- On which day and at which place was the record wind speed measured?
SELECT observation.day, weather_post.place FROM observation JOIN weather_post ON observation.post_id = weather_post.id WHERE observation.wind_kmh = (SELECT MAX(wind_kmh) FROM observation);

-- Which posts lie higher than the highest post in Austria? Give their places.
SELECT place FROM weather_post WHERE altitude_m > (SELECT MAX(altitude_m) FROM weather_post WHERE country = 'Austria');

-- Grade each observation as 'wet' if it had at least 10 mm of rain and 'dry' otherwise; show the day and the grade.
SELECT day, CASE WHEN rain_mm >= 10 THEN 'wet' ELSE 'dry' END FROM observation;

-- Which places outside Austria lie above 2000 metres?
SELECT place FROM weather_post WHERE country != 'Austria' AND altitude_m > 2000;

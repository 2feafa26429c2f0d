CREATE TABLE rental_point (id INTEGER PRIMARY KEY, street TEXT, district TEXT, racks INTEGER);
CREATE TABLE rental (id INTEGER PRIMARY KEY, start_point_id INTEGER NOT NULL, end_point_id INTEGER, rider TEXT, rented_on DATE, minutes INTEGER);

-- Which streets in the Docklands district have a rental point?
SELECT street FROM rental_point WHERE district = 'Docklands';

-- How many racks are there in total?
SELECT SUM(racks) FROM rental_point;

-- How many rentals lasted longer than 120 minutes?
SELECT COUNT(*) FROM rental WHERE minutes > 120;

-- In which district is the point on Canal Street?
SELECT district FROM rental_point WHERE street = 'Canal Street';

-- Which bikes were never brought back? Show rider and rental date where no end point is recorded.
SELECT rider, rented_on FROM rental WHERE end_point_id IS NULL;

-- How many different riders have used the service?
SELECT COUNT(DISTINCT rider) FROM rental;

-- Give street and racks of the points with fewer than 6 racks.
SELECT street, racks FROM rental_point WHERE racks < 6;

-- On what dates did Bela Novak rent a bike?
SELECT rented_on FROM rental WHERE rider = 'Bela Novak';

-- What is the length in minutes of the longest rental on 2024-07-21?
SELECT MAX(minutes) FROM rental WHERE rented_on = '2024-07-21';

-- Which points are not in Docklands and have over 20 racks? Streets, please.
SELECT street FROM rental_point WHERE district != 'Docklands' AND racks > 20;

-- How many rental points does each district have?
SELECT district, COUNT(*) FROM rental_point GROUP BY district;

-- Which rider has spent the most minutes on our bikes?
SELECT rider FROM rental GROUP BY rider ORDER BY SUM(minutes) DESC LIMIT 1;

-- Who has rented more than 8 times?
SELECT rider FROM rental GROUP BY rider HAVING COUNT(*) > 8;

-- How many rentals started at each point? Show street and number.
SELECT rental_point.street, COUNT(*) FROM rental_point JOIN rental ON rental.start_point_id = rental_point.id GROUP BY rental_point.id;

-- List the riders and minutes of all rentals that started on Canal Street.
SELECT rental.rider, rental.minutes FROM rental JOIN rental_point ON rental.start_point_id = rental_point.id WHERE rental_point.street = 'Canal Street';

-- What is the average duration of the rentals ending in each district?
SELECT rental_point.district, AVG(rental.minutes) FROM rental_point JOIN rental ON rental.end_point_id = rental_point.id GROUP BY rental_point.district;

-- Show the rental points in alphabetical order of street, with the district.
SELECT street, district FROM rental_point ORDER BY street;

-- Which day had the most rentals?
SELECT rented_on FROM rental GROUP BY rented_on ORDER BY COUNT(*) DESC LIMIT 1;

-- For every rental, show the street where it began and the street where it ended.
SELECT origin.street, finish.street FROM rental JOIN rental_point AS origin ON rental.start_point_id = origin.id JOIN rental_point AS finish ON rental.end_point_id = finish.id;

-- How many round trips, starting and ending at the same point, did Bela Novak make in 2023?
SELECT COUNT(*) FROM rental WHERE start_point_id = end_point_id AND rider = 'Bela Novak' AND strftime('%Y', rented_on) = '2023';

-- At which points has no rental ever started? Give the streets.
SELECT street FROM rental_point WHERE id NOT IN (SELECT start_point_id FROM rental);

-- Which rentals were longer than the average rental of Bela Novak? Show rider and minutes.
SELECT rider, minutes FROM rental WHERE minutes > (SELECT AVG(minutes) FROM rental WHERE rider = 'Bela Novak');

-- Who has taken a bike from one district to another? Each rider once.
SELECT DISTINCT rental.rider FROM rental JOIN rental_point AS origin ON rental.start_point_id = origin.id JOIN rental_point AS finish ON rental.end_point_id = finish.id WHERE origin.district != finish.district;

-- Which rentals started or ended at the point with id 4? Give the rental ids.
SELECT id FROM rental WHERE start_point_id = 4 OR end_point_id = 4;

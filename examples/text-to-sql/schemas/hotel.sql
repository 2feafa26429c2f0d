CREATE TABLE room (number INTEGER PRIMARY KEY, floor INTEGER, beds INTEGER, rate REAL);
CREATE TABLE booking (id INTEGER PRIMARY KEY, room_number INTEGER, guest TEXT, arrival DATE, nights INTEGER, channel TEXT);

-- Which room numbers are on floor 3?
SELECT number FROM room WHERE floor = 3;

-- How many rooms have two beds?
SELECT COUNT(*) FROM room WHERE beds = 2;

-- What does room 118 cost per night?
SELECT rate FROM room WHERE number = 118;

-- Which guests booked by phone?
SELECT guest FROM booking WHERE channel = 'phone';

-- Show number and rate of the rooms costing 80 to 120 a night.
SELECT number, rate FROM room WHERE rate BETWEEN 80 AND 120;

-- What booking channels have been used?
SELECT DISTINCT channel FROM booking;

-- Which guest stays for more than 14 nights, and when do they arrive?
SELECT guest, arrival FROM booking WHERE nights > 14;

-- What is the average length of a stay, in nights?
SELECT AVG(nights) FROM booking;

-- How many bookings have no room assigned yet?
SELECT COUNT(*) FROM booking WHERE room_number IS NULL;

-- Find all guests whose name ends in Svensson.
SELECT guest FROM booking WHERE guest LIKE '%Svensson';

-- How many rooms does every floor have?
SELECT floor, COUNT(*) FROM room GROUP BY floor;

-- What is the cheapest rate on each floor?
SELECT floor, MIN(rate) FROM room GROUP BY floor;

-- Which room is the most expensive? Give its number and its rate.
SELECT number, rate FROM room ORDER BY rate DESC LIMIT 1;

-- Count the bookings by channel, with the busiest channel at the top.
SELECT channel, COUNT(*) FROM booking GROUP BY channel ORDER BY COUNT(*) DESC;

-- Which guests have booked a room with four beds? List each guest once.
SELECT DISTINCT booking.guest FROM booking JOIN room ON booking.room_number = room.number WHERE room.beds = 4;

-- Who has made more than five bookings?
SELECT guest FROM booking GROUP BY guest HAVING COUNT(*) > 5;

-- How many nights have been booked per floor?
SELECT room.floor, SUM(booking.nights) FROM room JOIN booking ON booking.room_number = room.number GROUP BY room.floor;

-- List the bookings of Paula Reyes by arrival date, showing arrival and nights.
SELECT arrival, nights FROM booking WHERE guest = 'Paula Reyes' ORDER BY arrival;

-- What does each booking come to? Show the guest and the rate times the nights.
SELECT booking.guest, room.rate * booking.nights FROM booking JOIN room ON booking.room_number = room.number;

-- Which rooms have no bookings?
SELECT room.number FROM room LEFT JOIN booking ON booking.room_number = room.number WHERE booking.id IS NULL;

-- How many guests arrive in July 2025?
SELECT COUNT(*) FROM booking WHERE strftime('%Y-%m', arrival) = '2025-07';

-- Which rooms cost more than the average room? Give the numbers.
SELECT number FROM room WHERE rate > (SELECT AVG(rate) FROM room);

-- What is the total revenue by channel, taking rate times nights for every booking?
SELECT booking.channel, SUM(room.rate * booking.nights) FROM booking JOIN room ON booking.room_number = room.number GROUP BY booking.channel;

-- Show every room number with 'single' if it has 1 bed and 'shared' otherwise.
SELECT number, CASE WHEN beds = 1 THEN 'single' ELSE 'shared' END FROM room;

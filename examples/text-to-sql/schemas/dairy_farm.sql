CREATE TABLE cow (tag INTEGER PRIMARY KEY, name TEXT, breed TEXT, born DATE);
CREATE TABLE milking (id INTEGER PRIMARY KEY, cow_tag INTEGER, day DATE, shift TEXT, litres REAL, fat REAL);

-- What is the name of the cow with tag 5512?
SELECT name FROM cow WHERE tag = 5512;

-- How many Jersey cows are in the herd?
SELECT COUNT(*) FROM cow WHERE breed = 'Jersey';

-- List tag and name of all cows born after 2020-12-31.
SELECT tag, name FROM cow WHERE born > '2020-12-31';

-- Which breeds do we keep?
SELECT DISTINCT breed FROM cow;

-- How many litres were milked on 2024-04-10?
SELECT SUM(litres) FROM milking WHERE day = '2024-04-10';

-- What is the average fat content of the milk from the morning shift?
SELECT AVG(fat) FROM milking WHERE shift = 'morning';

-- Which cows have no name? Show tag and breed.
SELECT tag, breed FROM cow WHERE name IS NULL;

-- On how many milkings was the fat content over 4.5?
SELECT COUNT(*) FROM milking WHERE fat > 4.5;

-- Give the day and litres of every milking of cow 5512 that yielded less than 8 litres.
SELECT day, litres FROM milking WHERE cow_tag = 5512 AND litres < 8;

-- What was the best yield, in litres, of a single evening milking?
SELECT MAX(litres) FROM milking WHERE shift = 'evening';

-- How many cows are there of each breed?
SELECT breed, COUNT(*) FROM cow GROUP BY breed;

-- How many litres has each cow given? Show the tag and the total.
SELECT cow_tag, SUM(litres) FROM milking GROUP BY cow_tag;

-- Name the three oldest cows.
SELECT name FROM cow ORDER BY born LIMIT 3;

-- What does a milking yield on average for each breed, in litres?
SELECT cow.breed, AVG(milking.litres) FROM cow JOIN milking ON milking.cow_tag = cow.tag GROUP BY cow.breed;

-- On which days did the whole herd give fewer than 600 litres?
SELECT day FROM milking GROUP BY day HAVING SUM(litres) < 600;

-- Which cow has given the most milk in total? Her name, please.
SELECT cow.name FROM cow JOIN milking ON milking.cow_tag = cow.tag GROUP BY cow.tag ORDER BY SUM(milking.litres) DESC LIMIT 1;

-- Show the name and litres of all cows milked in the evening shift of 2024-04-10.
SELECT cow.name, milking.litres FROM cow JOIN milking ON milking.cow_tag = cow.tag WHERE milking.shift = 'evening' AND milking.day = '2024-04-10';

-- How do the shifts compare in average litres?
SELECT shift, AVG(litres) FROM milking GROUP BY shift;

-- Which cows have not been milked yet? Tag and name.
SELECT cow.tag, cow.name FROM cow LEFT JOIN milking ON milking.cow_tag = cow.tag WHERE milking.id IS NULL;

-- Which milkings beat the Jersey average in fat content? Give the id and the fat.
SELECT id, fat FROM milking WHERE fat > (SELECT AVG(milking.fat) FROM milking JOIN cow ON milking.cow_tag = cow.tag WHERE cow.breed = 'Jersey');

-- How many litres were milked in each month? Months look like 2024-04.
SELECT strftime('%Y-%m', day), SUM(litres) FROM milking GROUP BY strftime('%Y-%m', day);

-- Which tags appear in the morning but not in the evening shift on 2024-04-10?
SELECT cow_tag FROM milking WHERE day = '2024-04-10' AND shift = 'morning' EXCEPT SELECT cow_tag FROM milking WHERE day = '2024-04-10' AND shift = 'evening';

-- How many grams of fat were in each milking, reckoning litres times fat times 10? Show the tag and the result.
SELECT cow_tag, litres * fat * 10 FROM milking;

-- Which milkings gave over 30 litres or had a fat content below 3? Give their ids.
SELECT id FROM milking WHERE litres > 30 OR fat < 3;

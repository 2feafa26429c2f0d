CREATE TABLE donor (id INTEGER PRIMARY KEY, name TEXT, city TEXT, email TEXT);
CREATE TABLE appeal (id INTEGER PRIMARY KEY, title TEXT, goal REAL);
CREATE TABLE gift (id INTEGER PRIMARY KEY, donor_id INTEGER NOT NULL, appeal_id INTEGER, amount REAL, given_on DATE);

-- Which donors live in Leipzig?
SELECT name FROM donor WHERE city = 'Leipzig';

-- How many gifts were larger than 1000?
SELECT COUNT(*) FROM gift WHERE amount > 1000;

-- What is the goal of the appeal Roofs for All?
SELECT goal FROM appeal WHERE title = 'Roofs for All';

-- Give the name and city of all donors without an email address.
SELECT name, city FROM donor WHERE email IS NULL;

-- How much have we received in total?
SELECT SUM(amount) FROM gift;

-- Which appeals aim for 20000 or more? Show title and goal.
SELECT title, goal FROM appeal WHERE goal >= 20000;

-- How large is the average gift?
SELECT AVG(amount) FROM gift;

-- Find the names of donors whose email ends in example.org.
SELECT name FROM donor WHERE email LIKE '%example.org';

-- On which dates did we receive gifts of exactly 50? List each date once.
SELECT DISTINCT given_on FROM gift WHERE amount = 50;

-- How many gifts were not tied to any appeal?
SELECT COUNT(*) FROM gift WHERE appeal_id IS NULL;

-- How many donors do we have in each city?
SELECT city, COUNT(*) FROM donor GROUP BY city;

-- Which three cities have the most donors?
SELECT city FROM donor GROUP BY city ORDER BY COUNT(*) DESC LIMIT 3;

-- How much has each donor given altogether? Name and sum, please.
SELECT donor.name, SUM(gift.amount) FROM donor JOIN gift ON gift.donor_id = donor.id GROUP BY donor.id;

-- List the gifts of Ruth Abele by date, with date and amount.
SELECT gift.given_on, gift.amount FROM gift JOIN donor ON gift.donor_id = donor.id WHERE donor.name = 'Ruth Abele' ORDER BY gift.given_on;

-- What was the largest gift to each appeal? Show the title and the amount.
SELECT appeal.title, MAX(gift.amount) FROM appeal JOIN gift ON gift.appeal_id = appeal.id GROUP BY appeal.id;

-- In which cities do more than 4 donors live?
SELECT city FROM donor GROUP BY city HAVING COUNT(*) > 4;

-- Who has given most often?
SELECT donor.name FROM donor JOIN gift ON gift.donor_id = donor.id GROUP BY donor.id ORDER BY COUNT(*) DESC LIMIT 1;

-- List the appeals from the highest goal to the lowest.
SELECT title FROM appeal ORDER BY goal DESC;

-- Who has supported Roofs for All? List each donor's name once.
SELECT DISTINCT donor.name FROM donor JOIN gift ON gift.donor_id = donor.id JOIN appeal ON gift.appeal_id = appeal.id WHERE appeal.title = 'Roofs for All';

-- Which appeals have reached their goal? Show the title and the money raised.
SELECT appeal.title, SUM(gift.amount) FROM appeal JOIN gift ON gift.appeal_id = appeal.id GROUP BY appeal.id HAVING SUM(gift.amount) >= appeal.goal;

-- Which donors have never given anything?
SELECT name FROM donor WHERE id NOT IN (SELECT donor_id FROM gift);

-- How much was given in each year?
SELECT strftime('%Y', given_on), SUM(amount) FROM gift GROUP BY strftime('%Y', given_on);

-- Which donors have made at least one gift above the average? Give their names.
SELECT name FROM donor WHERE EXISTS (SELECT 1 FROM gift WHERE gift.donor_id = donor.id AND gift.amount > (SELECT AVG(amount) FROM gift));

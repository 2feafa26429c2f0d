CREATE TABLE coach (id INTEGER PRIMARY KEY, name TEXT, speciality TEXT, hourly_pay REAL);
CREATE TABLE workout_class (id INTEGER PRIMARY KEY, coach_id INTEGER, title TEXT, held_on DATE, minutes INTEGER, attendees INTEGER);

-- Which coaches specialise in rowing?
SELECT name FROM coach WHERE speciality = 'rowing';

-- How many classes had no coach assigned?
SELECT COUNT(*) FROM workout_class WHERE coach_id IS NULL;

-- What is Dario Conti's hourly pay?
SELECT hourly_pay FROM coach WHERE name = 'Dario Conti';

-- Show the title and date of each class with over 30 attendees.
SELECT title, held_on FROM workout_class WHERE attendees > 30;

-- Which class titles are on offer?
SELECT DISTINCT title FROM workout_class;

-- What was the average attendance of Spin Fury?
SELECT AVG(attendees) FROM workout_class WHERE title = 'Spin Fury';

-- List the names of the coaches paid between 25 and 35 per hour.
SELECT name FROM coach WHERE hourly_pay BETWEEN 25 AND 35;

-- How many classes lasted 90 minutes or more?
SELECT COUNT(*) FROM workout_class WHERE minutes >= 90;

-- On which dates was Spin Fury held with fewer than 5 attendees?
SELECT held_on FROM workout_class WHERE title = 'Spin Fury' AND attendees < 5;

-- How many different specialities do our coaches cover?
SELECT COUNT(DISTINCT speciality) FROM coach;

-- For each class title, how many people came in total?
SELECT title, SUM(attendees) FROM workout_class GROUP BY title;

-- Who is the best-paid coach?
SELECT name FROM coach ORDER BY hourly_pay DESC LIMIT 1;

-- How many classes has each coach led? Show coach and number.
SELECT coach.name, COUNT(*) FROM coach JOIN workout_class ON workout_class.coach_id = coach.id GROUP BY coach.id;

-- Which titles attract fewer than 8 people on average?
SELECT title FROM workout_class GROUP BY title HAVING AVG(attendees) < 8;

-- List the classes held by Dario Conti in order of date, showing date and title.
SELECT workout_class.held_on, workout_class.title FROM workout_class JOIN coach ON workout_class.coach_id = coach.id WHERE coach.name = 'Dario Conti' ORDER BY workout_class.held_on;

-- What is the average hourly pay in each speciality?
SELECT speciality, AVG(hourly_pay) FROM coach GROUP BY speciality;

-- Which day saw the most attendees across all classes?
SELECT held_on FROM workout_class GROUP BY held_on ORDER BY SUM(attendees) DESC LIMIT 1;

-- How many minutes of classes were given per speciality of the coach?
SELECT coach.speciality, SUM(workout_class.minutes) FROM coach JOIN workout_class ON workout_class.coach_id = coach.id GROUP BY coach.speciality;

-- What did each class cost us? Show the title and the coach's hourly pay times minutes divided by 60.
SELECT workout_class.title, coach.hourly_pay * workout_class.minutes / 60 FROM workout_class JOIN coach ON workout_class.coach_id = coach.id;

-- Which coaches have led no class at all?
SELECT coach.name FROM coach LEFT JOIN workout_class ON workout_class.coach_id = coach.id WHERE workout_class.id IS NULL;

-- How many classes were held in September 2024?
SELECT COUNT(*) FROM workout_class WHERE strftime('%Y-%m', held_on) = '2024-09';

-- Which coaches earn more per hour than the best-paid yoga coach?
SELECT name FROM coach WHERE hourly_pay > (SELECT MAX(hourly_pay) FROM coach WHERE speciality = 'yoga');

-- Which titles have been taught by both Dario Conti and Wen Li?
SELECT workout_class.title FROM workout_class JOIN coach ON workout_class.coach_id = coach.id WHERE coach.name = 'Dario Conti' INTERSECT SELECT workout_class.title FROM workout_class JOIN coach ON workout_class.coach_id = coach.id WHERE coach.name = 'Wen Li';

-- Which classes had more than 40 attendees or lasted under 20 minutes? Show title and date.
SELECT title, held_on FROM workout_class WHERE attendees > 40 OR minutes < 20;

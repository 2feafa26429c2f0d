CREATE TABLE worker (id INTEGER PRIMARY KEY, name TEXT, team TEXT, salary REAL, hired DATE, boss_id INTEGER);
CREATE TABLE absence (id INTEGER PRIMARY KEY, worker_id INTEGER NOT NULL, kind TEXT, first_day DATE, days INTEGER);

-- Who works in the Payroll team?
SELECT name FROM worker WHERE team = 'Payroll';

-- What does Henrik Dahl earn?
SELECT salary FROM worker WHERE name = 'Henrik Dahl';

-- How many people have no boss?
SELECT COUNT(*) FROM worker WHERE boss_id IS NULL;

-- List name and team of everyone earning at least 70000.
SELECT name, team FROM worker WHERE salary >= 70000;

-- What teams exist in the company?
SELECT DISTINCT team FROM worker;

-- How many days have been lost to parental absences?
SELECT SUM(days) FROM absence WHERE kind = 'parental';

-- What is the mean salary in the Design team?
SELECT AVG(salary) FROM worker WHERE team = 'Design';

-- Show the kind and the first day of absences longer than 15 days.
SELECT kind, first_day FROM absence WHERE days > 15;

-- Who was hired between 2020-01-01 and 2020-06-30?
SELECT name FROM worker WHERE hired BETWEEN '2020-01-01' AND '2020-06-30';

-- Give the names of the people in neither Sales nor Legal.
SELECT name FROM worker WHERE team NOT IN ('Sales', 'Legal');

-- How many people work in each team?
SELECT team, COUNT(*) FROM worker GROUP BY team;

-- What is the top salary per team?
SELECT team, MAX(salary) FROM worker GROUP BY team;

-- Who are the five best-paid people?
SELECT name FROM worker ORDER BY salary DESC LIMIT 5;

-- In which teams does the average salary exceed 60000?
SELECT team FROM worker GROUP BY team HAVING AVG(salary) > 60000;

-- When did Henrik Dahl's absences begin, and what kind were they? Show the first day, then the kind.
SELECT absence.first_day, absence.kind FROM absence JOIN worker ON absence.worker_id = worker.id WHERE worker.name = 'Henrik Dahl';

-- How many days was each person absent in total? Skip people without absences.
SELECT worker.name, SUM(absence.days) FROM worker JOIN absence ON absence.worker_id = worker.id GROUP BY worker.id;

-- What is the most common kind of absence?
SELECT kind FROM absence GROUP BY kind ORDER BY COUNT(*) DESC LIMIT 1;

-- For every team, add up the days of absence of the kind sick.
SELECT worker.team, SUM(absence.days) FROM worker JOIN absence ON absence.worker_id = worker.id WHERE absence.kind = 'sick' GROUP BY worker.team;

-- Show each worker together with the name of their boss.
SELECT worker.name, boss.name FROM worker JOIN worker AS boss ON worker.boss_id = boss.id;

-- Who earns more than their boss?
SELECT worker.name FROM worker JOIN worker AS boss ON worker.boss_id = boss.id WHERE worker.salary > boss.salary;

-- Which workers have never been absent?
SELECT name FROM worker WHERE id NOT IN (SELECT worker_id FROM absence);

-- Who earns more than the company average?
SELECT name FROM worker WHERE salary > (SELECT AVG(salary) FROM worker);

-- How many absences began in December 2022?
SELECT COUNT(*) FROM absence WHERE strftime('%Y-%m', first_day) = '2022-12';

-- For which workers is there no absence of the kind sick?
SELECT name FROM worker WHERE NOT EXISTS (SELECT 1 FROM absence WHERE absence.worker_id = worker.id AND absence.kind = 'sick');

CREATE TABLE teacher (id INTEGER PRIMARY KEY, name TEXT, subject TEXT, hired DATE);
CREATE TABLE lesson (id INTEGER PRIMARY KEY, teacher_id INTEGER, room TEXT, weekday TEXT, start_hour INTEGER, pupils INTEGER);

-- Who teaches Geography?
SELECT name FROM teacher WHERE subject = 'Geography';

-- How many lessons are held on Friday?
SELECT COUNT(*) FROM lesson WHERE weekday = 'Friday';

-- What subject does Ms Varga teach?
SELECT subject FROM teacher WHERE name = 'Ms Varga';

-- Show room and start hour of the lessons on Tuesday.
SELECT room, start_hour FROM lesson WHERE weekday = 'Tuesday';

-- Which rooms are used for lessons with more than 28 pupils? Name every room once.
SELECT DISTINCT room FROM lesson WHERE pupils > 28;

-- What is the smallest number of pupils in any lesson?
SELECT MIN(pupils) FROM lesson;

-- List teachers hired before 2005-08-01.
SELECT name FROM teacher WHERE hired < '2005-08-01';

-- How many lessons still lack a teacher?
SELECT COUNT(*) FROM lesson WHERE teacher_id IS NULL;

-- Name the teachers of Physics or Chemistry.
SELECT name FROM teacher WHERE subject IN ('Physics', 'Chemistry');

-- On which weekdays is there a lesson in room 204 with a start hour after 14? No repeats.
SELECT DISTINCT weekday FROM lesson WHERE room = '204' AND start_hour > 14;

-- How many teachers are there for each subject?
SELECT subject, COUNT(*) FROM teacher GROUP BY subject;

-- On which weekday are the most lessons held?
SELECT weekday FROM lesson GROUP BY weekday ORDER BY COUNT(*) DESC LIMIT 1;

-- What rooms does Ms Varga teach in? List each room once.
SELECT DISTINCT lesson.room FROM lesson JOIN teacher ON lesson.teacher_id = teacher.id WHERE teacher.name = 'Ms Varga';

-- How many lessons a week does each teacher give? Show name and number.
SELECT teacher.name, COUNT(*) FROM teacher JOIN lesson ON lesson.teacher_id = teacher.id GROUP BY teacher.id;

-- Which rooms are booked for at least five lessons?
SELECT room FROM lesson GROUP BY room HAVING COUNT(*) >= 5;

-- List the teachers of History in order of hiring, longest-serving first.
SELECT name FROM teacher WHERE subject = 'History' ORDER BY hired;

-- What is the average class size, in pupils, for each subject?
SELECT teacher.subject, AVG(lesson.pupils) FROM teacher JOIN lesson ON lesson.teacher_id = teacher.id GROUP BY teacher.subject;

-- Give the weekday and start hour of every Music lesson.
SELECT lesson.weekday, lesson.start_hour FROM lesson JOIN teacher ON lesson.teacher_id = teacher.id WHERE teacher.subject = 'Music';

-- Which teachers give no lessons?
SELECT teacher.name FROM teacher LEFT JOIN lesson ON lesson.teacher_id = teacher.id WHERE lesson.id IS NULL;

-- Which rooms are used on Monday but not on Thursday?
SELECT room FROM lesson WHERE weekday = 'Monday' EXCEPT SELECT room FROM lesson WHERE weekday = 'Thursday';

-- How many teachers were hired in each year?
SELECT strftime('%Y', hired), COUNT(*) FROM teacher GROUP BY strftime('%Y', hired);

-- Which teachers have at least one lesson that starts at 8?
SELECT name FROM teacher WHERE EXISTS (SELECT 1 FROM lesson WHERE lesson.teacher_id = teacher.id AND lesson.start_hour = 8);

-- Show weekday and room of the lessons with more pupils than average.
SELECT weekday, room FROM lesson WHERE pupils > (SELECT AVG(pupils) FROM lesson);

-- Which lessons are in room 101 or room 102, but not on Friday? Show weekday and start hour.
SELECT weekday, start_hour FROM lesson WHERE room IN ('101', '102') AND weekday != 'Friday';

CREATE TABLE patient (id INTEGER PRIMARY KEY, name TEXT, born DATE, insurer TEXT);
CREATE TABLE visit (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL, seen_on DATE, doctor TEXT, reason TEXT, fee REAL);

-- Which patients are insured with Medisana?
SELECT name FROM patient WHERE insurer = 'Medisana';

-- How many visits did Dr Okafor have?
SELECT COUNT(*) FROM visit WHERE doctor = 'Dr Okafor';

-- What is the highest fee ever charged for a visit?
SELECT MAX(fee) FROM visit;

-- Show the date and the doctor of all visits for a sprained ankle.
SELECT seen_on, doctor FROM visit WHERE reason = 'sprained ankle';

-- List patients born before 1950-01-01.
SELECT name FROM patient WHERE born < '1950-01-01';

-- Which patients have no date of birth on file?
SELECT name FROM patient WHERE born IS NULL;

-- What different reasons for a visit have been noted?
SELECT DISTINCT reason FROM visit;

-- How much has been charged in fees in total?
SELECT SUM(fee) FROM visit;

-- When was Elif Demir born?
SELECT born FROM patient WHERE name = 'Elif Demir';

-- Give the reasons of visits to Dr Moreau that cost less than 40.
SELECT reason FROM visit WHERE doctor = 'Dr Moreau' AND fee < 40;

-- How many visits did each doctor have?
SELECT doctor, COUNT(*) FROM visit GROUP BY doctor;

-- What is the average fee per reason for the visit?
SELECT reason, AVG(fee) FROM visit GROUP BY reason;

-- Which doctor has earned the most in fees?
SELECT doctor FROM visit GROUP BY doctor ORDER BY SUM(fee) DESC LIMIT 1;

-- Who is the youngest patient?
SELECT name FROM patient ORDER BY born DESC LIMIT 1;

-- List the names and dates of visit of everyone who came in because of a migraine.
SELECT patient.name, visit.seen_on FROM patient JOIN visit ON visit.patient_id = patient.id WHERE visit.reason = 'migraine';

-- Name the insurers that cover more than three patients.
SELECT insurer FROM patient GROUP BY insurer HAVING COUNT(*) > 3;

-- What have patients paid in fees, summed for each insurer?
SELECT patient.insurer, SUM(visit.fee) FROM patient JOIN visit ON visit.patient_id = patient.id GROUP BY patient.insurer;

-- Show the five most recent visits with date and reason.
SELECT seen_on, reason FROM visit ORDER BY seen_on DESC LIMIT 5;

-- Which patients have never had a visit?
SELECT name FROM patient WHERE id NOT IN (SELECT patient_id FROM visit);

-- How many visits took place in March 2024?
SELECT COUNT(*) FROM visit WHERE strftime('%Y-%m', seen_on) = '2024-03';

-- Which visits cost more than the average? Give date and fee.
SELECT seen_on, fee FROM visit WHERE fee > (SELECT AVG(fee) FROM visit);

-- Name the patients who have been seen by more than one doctor.
SELECT patient.name FROM patient JOIN visit ON visit.patient_id = patient.id GROUP BY patient.id HAVING COUNT(DISTINCT visit.doctor) > 1;

-- Which doctors have treated Elif Demir but not Juan Castro?
SELECT visit.doctor FROM visit JOIN patient ON visit.patient_id = patient.id WHERE patient.name = 'Elif Demir' EXCEPT SELECT visit.doctor FROM visit JOIN patient ON visit.patient_id = patient.id WHERE patient.name = 'Juan Castro';

-- Which visits were for a migraine or cost more than 200? Give date and fee.
SELECT seen_on, fee FROM visit WHERE reason = 'migraine' OR fee > 200;

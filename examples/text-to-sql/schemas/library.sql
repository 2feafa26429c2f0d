CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author TEXT, pages INTEGER, year INTEGER);
CREATE TABLE borrower (id INTEGER PRIMARY KEY, name TEXT, town TEXT, joined DATE);
CREATE TABLE loan (id INTEGER PRIMARY KEY, book_id INTEGER NOT NULL, borrower_id INTEGER, lent_on DATE, returned_on DATE);

-- List the titles written by Ursula Brandt.
SELECT title FROM book WHERE author = 'Ursula Brandt';

-- How many books have more than 500 pages?
SELECT COUNT(*) FROM book WHERE pages > 500;

-- Who are the borrowers from Ashford?
SELECT name FROM borrower WHERE town = 'Ashford';

-- Find every title that contains the word River.
SELECT title FROM book WHERE title LIKE '%River%';

-- What is the average number of pages of the books published after 2010?
SELECT AVG(pages) FROM book WHERE year > 2010;

-- From which towns do our borrowers come? Each town once, please.
SELECT DISTINCT town FROM borrower;

-- How many loans have not been returned yet?
SELECT COUNT(*) FROM loan WHERE returned_on IS NULL;

-- Show title and year of the books published between 1950 and 1969.
SELECT title, year FROM book WHERE year BETWEEN 1950 AND 1969;

-- How many different authors are in the catalogue?
SELECT COUNT(DISTINCT author) FROM book;

-- Which borrowers joined on or after 2023-01-01?
SELECT name FROM borrower WHERE joined >= '2023-01-01';

-- Give the number of books by each author.
SELECT author, COUNT(*) FROM book GROUP BY author;

-- What is the longest book we own, by page count?
SELECT title FROM book ORDER BY pages DESC LIMIT 1;

-- Name the authors with at least five books.
SELECT author FROM book GROUP BY author HAVING COUNT(*) >= 5;

-- List all borrowers in the order in which they joined.
SELECT name FROM borrower ORDER BY joined;

-- How many loans has each borrower made? Show the name and the count, leaving out those with none.
SELECT borrower.name, COUNT(*) FROM borrower JOIN loan ON loan.borrower_id = borrower.id GROUP BY borrower.id;

-- What titles were lent on 2024-02-14?
SELECT book.title FROM book JOIN loan ON loan.book_id = book.id WHERE loan.lent_on = '2024-02-14';

-- Which town has the most borrowers?
SELECT town FROM borrower GROUP BY town ORDER BY COUNT(*) DESC LIMIT 1;

-- Which books has Tom Ferris borrowed? List each title once.
SELECT DISTINCT book.title FROM book JOIN loan ON loan.book_id = book.id JOIN borrower ON loan.borrower_id = borrower.id WHERE borrower.name = 'Tom Ferris';

-- Which books have never been lent?
SELECT title FROM book WHERE id NOT IN (SELECT book_id FROM loan);

-- Give the borrower and the title for every book that is still out.
SELECT borrower.name, book.title FROM borrower JOIN loan ON loan.borrower_id = borrower.id JOIN book ON loan.book_id = book.id WHERE loan.returned_on IS NULL;

-- How many loans were made in each year?
SELECT strftime('%Y', lent_on), COUNT(*) FROM loan GROUP BY strftime('%Y', lent_on);

-- List the titles that have more pages than the average book.
SELECT title FROM book WHERE pages > (SELECT AVG(pages) FROM book);

-- Who has at least one loan that is not yet returned?
SELECT name FROM borrower WHERE EXISTS (SELECT 1 FROM loan WHERE loan.borrower_id = borrower.id AND loan.returned_on IS NULL);

-- Which names belong to an author as well as to a borrower?
SELECT author FROM book INTERSECT SELECT name FROM borrower;

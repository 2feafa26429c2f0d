CREATE TABLE lot (number INTEGER PRIMARY KEY, title TEXT, category TEXT, seller TEXT, reserve REAL, sale_day DATE);
CREATE TABLE bid (id INTEGER PRIMARY KEY, lot_number INTEGER, bidder TEXT, amount REAL);

-- What is the title of lot 212?
SELECT title FROM lot WHERE number = 212;

-- How many lots are in the category clocks?
SELECT COUNT(*) FROM lot WHERE category = 'clocks';

-- List number and title of the lots consigned by the seller Brook Estate.
SELECT number, title FROM lot WHERE seller = 'Brook Estate';

-- Which lots have no reserve? Give their numbers.
SELECT number FROM lot WHERE reserve IS NULL;

-- What categories does the catalogue contain?
SELECT DISTINCT category FROM lot;

-- Who has bid more than 25000 on anything? Name each bidder once.
SELECT DISTINCT bidder FROM bid WHERE amount > 25000;

-- What is the highest bid on lot 212 so far?
SELECT MAX(amount) FROM bid WHERE lot_number = 212;

-- Which titles contain the word portrait?
SELECT title FROM lot WHERE title LIKE '%portrait%';

-- Show title and reserve of all lots sold on 2025-03-22 with a reserve of at least 4000.
SELECT title, reserve FROM lot WHERE sale_day = '2025-03-22' AND reserve >= 4000;

-- How many people have placed a bid?
SELECT COUNT(DISTINCT bidder) FROM bid;

-- How many lots are there in each category?
SELECT category, COUNT(*) FROM lot GROUP BY category;

-- What is the average reserve by category?
SELECT category, AVG(reserve) FROM lot GROUP BY category;

-- Which bidders have placed more than six bids?
SELECT bidder FROM bid GROUP BY bidder HAVING COUNT(*) > 6;

-- Show the bids on lot 212 from highest to lowest, with bidder and amount.
SELECT bidder, amount FROM bid WHERE lot_number = 212 ORDER BY amount DESC;

-- What did Hugo Lang bid on? Give the lot title and the amount.
SELECT lot.title, bid.amount FROM lot JOIN bid ON bid.lot_number = lot.number WHERE bid.bidder = 'Hugo Lang';

-- How many bids has each lot received? Show the title and the count.
SELECT lot.title, COUNT(*) FROM lot JOIN bid ON bid.lot_number = lot.number GROUP BY lot.number;

-- Which seller has consigned the most lots?
SELECT seller FROM lot GROUP BY seller ORDER BY COUNT(*) DESC LIMIT 1;

-- In which categories has Hugo Lang placed bids? Each category once.
SELECT DISTINCT lot.category FROM lot JOIN bid ON bid.lot_number = lot.number WHERE bid.bidder = 'Hugo Lang';

-- Which lots have received no bids? List number and title.
SELECT lot.number, lot.title FROM lot LEFT JOIN bid ON bid.lot_number = lot.number WHERE bid.id IS NULL;

-- Which lots have reached their reserve? Show the title and the highest bid.
SELECT lot.title, MAX(bid.amount) FROM lot JOIN bid ON bid.lot_number = lot.number GROUP BY lot.number HAVING MAX(bid.amount) >= lot.reserve;

-- How many lots were up for sale in 2024?
SELECT COUNT(*) FROM lot WHERE strftime('%Y', sale_day) = '2024';

-- Who has bid on both lot 212 and lot 87?
SELECT bidder FROM bid WHERE lot_number = 212 INTERSECT SELECT bidder FROM bid WHERE lot_number = 87;

-- Which lots have a reserve above the average for the category maps? Give the titles.
SELECT title FROM lot WHERE reserve > (SELECT AVG(reserve) FROM lot WHERE category = 'maps');

-- Give one list of everybody who appears as a seller or as a bidder, each name once.
SELECT seller FROM lot UNION SELECT bidder FROM bid;

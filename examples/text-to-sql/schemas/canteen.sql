CREATE TABLE dish (id INTEGER PRIMARY KEY, name TEXT, course TEXT, price REAL);
CREATE TABLE ingredient (id INTEGER PRIMARY KEY, name TEXT, allergen TEXT);
CREATE TABLE dish_ingredient (dish_id INTEGER, ingredient_id INTEGER NOT NULL, grams INTEGER);

-- Which dishes can I have for dessert?
SELECT name FROM dish WHERE course = 'dessert';

-- How many dishes cost more than 9 euros?
SELECT COUNT(*) FROM dish WHERE price > 9;

-- How much is the lentil stew?
SELECT price FROM dish WHERE name = 'lentil stew';

-- Which ingredients contain the allergen soy?
SELECT name FROM ingredient WHERE allergen = 'soy';

-- List all ingredients that carry no allergen.
SELECT name FROM ingredient WHERE allergen IS NULL;

-- Show the name and price of each starter or soup.
SELECT name, price FROM dish WHERE course IN ('starter', 'soup');

-- What is the average price on the menu?
SELECT AVG(price) FROM dish;

-- What allergens occur in our kitchen? No repeats, and leave out the blanks.
SELECT DISTINCT allergen FROM ingredient WHERE allergen IS NOT NULL;

-- Which dishes have a name beginning with Grilled?
SELECT name FROM dish WHERE name LIKE 'Grilled%';

-- What is the lowest price in the main course?
SELECT MIN(price) FROM dish WHERE course = 'main';

-- How many dishes are offered for each course?
SELECT course, COUNT(*) FROM dish GROUP BY course;

-- List the menu from cheapest to dearest, with name and price.
SELECT name, price FROM dish ORDER BY price;

-- Which courses have an average price below 5?
SELECT course FROM dish GROUP BY course HAVING AVG(price) < 5;

-- How many ingredients does each dish have? Show dish and count.
SELECT dish.name, COUNT(*) FROM dish JOIN dish_ingredient ON dish_ingredient.dish_id = dish.id GROUP BY dish.id;

-- What is the total weight in grams of every dish?
SELECT dish.name, SUM(dish_ingredient.grams) FROM dish JOIN dish_ingredient ON dish_ingredient.dish_id = dish.id GROUP BY dish.id;

-- Name the most expensive dessert.
SELECT name FROM dish WHERE course = 'dessert' ORDER BY price DESC LIMIT 1;

-- How many ingredients are affected by each allergen? Ignore ingredients without one.
SELECT allergen, COUNT(*) FROM ingredient WHERE allergen IS NOT NULL GROUP BY allergen;

-- What goes into the lentil stew? Show ingredient and grams.
SELECT ingredient.name, dish_ingredient.grams FROM ingredient JOIN dish_ingredient ON dish_ingredient.ingredient_id = ingredient.id JOIN dish ON dish_ingredient.dish_id = dish.id WHERE dish.name = 'lentil stew';

-- Which dishes contain peanuts?
SELECT dish.name FROM dish JOIN dish_ingredient ON dish_ingredient.dish_id = dish.id JOIN ingredient ON dish_ingredient.ingredient_id = ingredient.id WHERE ingredient.name = 'peanuts';

-- Which ingredients are never used in a dish?
SELECT name FROM ingredient WHERE id NOT IN (SELECT ingredient_id FROM dish_ingredient);

-- Which dishes are free of gluten, having no ingredient with the allergen gluten?
SELECT name FROM dish WHERE NOT EXISTS (SELECT 1 FROM dish_ingredient JOIN ingredient ON dish_ingredient.ingredient_id = ingredient.id WHERE dish_ingredient.dish_id = dish.id AND ingredient.allergen = 'gluten');

-- Which dishes of the main course cost more than the average main?
SELECT name FROM dish WHERE course = 'main' AND price > (SELECT AVG(price) FROM dish WHERE course = 'main');

-- Which ingredient is used in the largest number of dishes?
SELECT ingredient.name FROM ingredient JOIN dish_ingredient ON dish_ingredient.ingredient_id = ingredient.id GROUP BY ingredient.id ORDER BY COUNT(*) DESC LIMIT 1;

-- Put the names of all dishes and all ingredients into one list without repeats.
SELECT name FROM dish UNION SELECT name FROM ingredient;

"""What is wrong with a data set: facts about its files, and rules that find faults in them."""

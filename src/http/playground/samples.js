// Three texts to begin with. The long one is made here, so that the page stays small.

const NOTE = `Hi all, sorry for the late update! We can't ship the new export on Thursday because the last load test showed that files over 2 GB fail about one time in fifty. I think we know why: the worker gives up before the storage has answered, and nobody retries. Marta has a fix and it looks good, but it needs a day of soaking. So the plan is: soak over the weekend, ship on Tuesday morning, and tell the three pilot customers today that it will be Tuesday. If anybody sees a problem, please shout before noon. Thanks!`;

const ARTICLE = `# A library that lends more than books

When the town of Varde closed its cinema in 2019, the building stood empty for two years. Today it is the busiest public building in the region.

The new library cost 12 million euros, of which the city paid half; the rest came from a foundation and from 1,900 residents who bought a chair, a shelf or a window with their name on it.

## Tools, seeds and an hour of help

What draws people is not only the reading room for 120 visitors. A wall of lockers lends drills, sewing machines, telescopes and tents. Whoever takes a bag of seeds in April is asked to bring one back in October. Last year 71 percent did.

Twice a week, volunteers help with letters from offices and with applications. "We counted 3,400 visits to their table in the first year," says the director, Ane Holm.

## What it costs, and what it saves

Running the house takes 2.1 million euros a year, 300,000 more than the two branches that it replaced. The council argued about that for a whole winter. Then a study found that visits by people over 70 had tripled.`;

const SUBJECTS = ["The harbour office", "The dredging crew", "The fishermen's guild", "The ferry company", "The lighthouse keeper"];
const DEEDS = ["put off the repair of the east pier", "asked for a new crane at the grain quay", "moved the fish auction to the old warehouse", "counted the vessels that waited for the tide", "reported a loss of moorings in the gale"];
const REASONS = ["because the autumn storms had come early", "after two accidents in one week", "so that larger vessels could enter at low tide"];
const ENDS = ["The work took {n} days and cost {m} crowns.", "Of {m} vessels, {n} were delayed by more than a day.", "The board set aside {m} crowns and asked for a report within {n} weeks."];

/** The minutes of a harbour board: the same text each time, about 130,000 tokens. */
function minutes() {
	let seed = 7;
	const draw = (most) => {
		seed = (seed * 48271) % 2147483647;
		return seed % most;
	};
	const of = (list) => list[draw(list.length)];
	const parts = ["# Saltmarsh Harbour"];
	for (let year = 1921; year < 1986; year += 1) {
		parts.push(`## The year ${year}`);
		for (let month = 0; month < 12; month += 1) {
			const sentences = [];
			for (let count = 0; count < 5; count += 1) {
				const end = of(ENDS).replace("{n}", draw(28) + 2).replace("{m}", (draw(80) + 20) * 25);
				sentences.push(`${of(SUBJECTS)} ${of(DEEDS)} ${of(REASONS)}.`, end);
			}
			parts.push(sentences.join(" "));
		}
	}
	return parts.join("\n\n");
}

/** Name, text, and the strategy with which its summary shows most. */
export const SAMPLES = [
	{ name: "Note", text: () => NOTE },
	{ name: "Article", text: () => ARTICLE },
	{ name: "Long report", text: minutes, strategy: "map-reduce" },
];

/** What tasks with fields hold to begin with, and members that must be there. */
export const STARTERS = {
	"blog-post": "Why our town lends drills, telescopes and tents as well as books",
	"product-description": "folds to the size of a book\nburns for 30 hours on one charge\nrepairable with one screwdriver",
	options: { name: "Field lamp", platforms: ["x", "linkedin", "mastodon"] },
};

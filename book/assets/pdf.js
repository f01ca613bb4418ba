// What `python -m pruning_phases_book pdf` does to the book as one page before it prints it.
(() => {
    const marks = () => [...document.querySelectorAll("span[id^='document-']")];
    return {
        // Put title and contents in front, chapters on pages of their own, links between pages to the chapters.
        insert(front) {
            const article = document.querySelector("article.bd-article");
            article.querySelectorAll(".headerlink").forEach((link) => link.remove());
            // a picture's link to itself, and files beside the book
            article.querySelectorAll("a[href*='_images/'], a[href*='_downloads/']").forEach((link) => link.removeAttribute("href"));
            for (const mark of marks()) {
                const section = mark.nextElementSibling;
                if (section?.matches("section")) {  // the mark goes where the chapter goes: to the next page
                    section.classList.add("pdf-chapter-start");
                    section.prepend(mark);
                }
            }
            for (const link of document.querySelectorAll("table.verdicts a")) {  // pages of the book are chapters here
                const mark = "document-sections/" + link.getAttribute("href").replace(/\.html$/, "");
                if (document.getElementById(mark)) link.setAttribute("href", "#" + mark);
            }
            const old = document.getElementById("pdf-front");
            if (old) old.remove();
            article.insertAdjacentHTML("afterbegin", front);
        },
        // Mark of each chapter → its title.
        titles() {
            return Object.fromEntries(marks().map((mark) => {
                const heading = mark.nextElementSibling.querySelector("h1, h2");
                return [mark.id, heading.textContent.replace(/#$/, "").trim()];
            }));
        },
    };
})()

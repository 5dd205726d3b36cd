Files: chart.js/*
Copyright: 2014-2022 Chart.js Contributors
License: Expat
Comment: Chart.js, which is embedded for the page of the admin listener

Files: chart.js/color/*
Copyright: 2022 Jukka Kurkela
License: Expat
Comment: @kurkle/color, which Chart.js contains

"use strict";

module.exports = require("./latscope.node");

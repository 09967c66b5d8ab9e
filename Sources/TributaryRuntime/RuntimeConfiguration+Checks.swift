public import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

extension RuntimeConfiguration {
    /// The most characters that an application's id may have: it begins the names of internal topics.
    static var longestID: Int { 200 }

    /// Refuses settings that can't be.
    ///
    /// `Int.max` and any long time are allowed wherever a greater one is: they mean all that there is, or never.
    ///
    /// - Throws: `SettingError` that names setting, value and range.
    public func check() throws(SettingError) {
        try SettingCheck.name("applicationID", applicationID, most: Self.longestID)
        try SettingCheck.duration("commitInterval", commitInterval, from: .zero)
        try SettingCheck.number("cacheBytes", cacheBytes, from: 0)
        try SettingCheck.number("threads", threads, from: 1, through: 1000)
        try SettingCheck.number("bufferedRecords", bufferedRecords, from: 1)
        if let maximumIdle { try SettingCheck.duration("maximumIdle", maximumIdle, from: .zero) }
        try SettingCheck.duration("emitInterval", emitInterval, from: .zero)
        try SettingCheck.duration("stateFlushInterval", stateFlushInterval, from: .zero)
        try SettingCheck.duration("graveRetention", graveRetention, from: .zero)
        try SettingCheck.number("stateDirtyBytes", stateDirtyBytes, from: 1)
        try SettingCheck.number("transactionBytes", transactionBytes, from: 1)
        try SettingCheck.number("recordsPerRound", recordsPerRound, from: 1)
        try SettingCheck.duration("retryTimeout", retryTimeout, from: .zero)
        try SettingCheck.duration("topicRefreshInterval", topicRefreshInterval, from: .milliseconds(1))
        if case .last(let duration) = offsetReset.place {
            try SettingCheck.duration("offsetReset", duration, from: .zero)
        }
        if let deadLetterTopic { try SettingCheck.name("deadLetterTopic", deadLetterTopic) }
        try lineage.check()
    }
}

extension LineageConfiguration {
    func check() throws(SettingError) {
        for (list, names) in [("capturedHeaders", capturedHeaders), ("propagatedHeaders", propagatedHeaders)]
        where names.contains(where: \.isEmpty) {
            throw SettingError(
                setting: "lineage.\(list)", value: "\(names)", range: "a list of names that aren't empty")
        }
        let counts = [
            ("attributes", limits.attributes), ("events", limits.events), ("links", limits.links),
            ("eventAttributes", limits.eventAttributes), ("linkAttributes", limits.linkAttributes),
        ]
        for (name, count) in counts { try SettingCheck.number("lineage.limits.\(name)", count, from: 0) }
        if let length = limits.valueLength { try SettingCheck.number("lineage.limits.valueLength", length, from: 0) }
    }
}

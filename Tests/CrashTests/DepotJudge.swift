import CrashApplication
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// Says whether the depot app has done what it had to.
struct DepotJudge {
    let guarantee: ProcessingGuarantee
    let log: EmbeddedLog
    let input: DepotInput
    let comment: Comment

    /// How many records are not processed.
    func lag() throws -> [TopicPartition: Int64] {
        let committed = try log.committedOffsets(group: DepotApplication.id)
        let written = [DepotApplication.called, DepotApplication.calledFirsts]
        var lag: [TopicPartition: Int64] = [:]
        for topic in try log.topics() where !topic.name.hasSuffix("-changelog") && !written.contains(topic.name) {
            for partition in 0..<DepotApplication.partitions {
                let place = TopicPartition(topic.name, partition)
                let end = try log.watermarks(place, committed: true).high
                if end > committed[place]?.offset ?? 0 { lag[place] = end - (committed[place]?.offset ?? 0) }
            }
        }
        return lag
    }

    /// Compares everything; returns how much there is twice.
    func check() throws -> Int {
        var doubled = 0
        doubled += try checkOrder(DepotApplication.called, input.calls)
        doubled += try checkOrder(DepotApplication.calledFirsts, input.firstTokens)
        doubled += try checkTotals("firsts", input.firsts)
        // Of what is done again another may pass, at the time to which the stream has come: as many do, at least.
        doubled += try checkTotals("throttled", input.throttled, ofCountsOnly: true)
        doubled += try checkTotals("priced", input.priced)
        let places = try rows("places") { try Serde.int64.value($0) }
        #expect(places == input.keptPlaces, "\(difference(places, input.keptPlaces)) \(comment)")
        let copies = try rows("copies") { try Serde.int64.value($0) }
        #expect(copies == input.keptPlaces, "copies: \(difference(copies, input.keptPlaces)) \(comment)")
        let best = try rows("best") { try Serde.array(of: Serde.int64).value($0) }
        return doubled + checkRanks(best)
    }

    /// At least once, a member that comes into its group twice stays when it goes once, as a count stays too great; the others are behind it.
    private func checkRanks(_ found: [Int64: [Int64]]) -> Int {
        guard guarantee == .atLeastOnce else {
            #expect(found == input.best, comment)
            return 0
        }
        for (group, right) in input.best {
            let list = found[group] ?? []
            for (place, member) in right.enumerated() where !list.contains(member) {
                let before = list.count { $0 > member }
                #expect(
                    before >= DepotApplication.ranks && before > place, "lost \(member) of \(group): \(list) \(comment)"
                )
            }
        }
        return input.best.count { found[$0.key] != $0.value }
    }

    private func difference(_ found: [Int64: Int64], _ right: [Int64: Int64]) -> String {
        let missing = right.filter { found[$0.key] != $0.value }
        let extra = found.filter { right[$0.key] == nil }
        return "missing or wrong \(missing), too many \(extra)"
    }

    private func rows<Value>(_ store: String, _ value: ([UInt8]) throws -> Value) throws -> [Int64: Value] {
        var rows: [Int64: Value] = [:]
        for (key, row) in try BankState.last(log, "\(DepotApplication.id)-\(store)-changelog")
        where !row.value.isEmpty {
            rows[key.span.bytes.integer(at: 0, as: Int64.self) ?? -1] = try value(row.value)
        }
        return rows
    }

    private func checkTotals(
        _ store: String, _ right: [Int64: DepotInput.Total], ofCountsOnly: Bool = false
    ) throws -> Int {
        let found = try rows(store) { bytes in
            let balance = try Serde<Balance>.balance.value(bytes)
            return DepotInput.Total(count: balance.count, amount: balance.amount)
        }
        if guarantee == .exactlyOnce {
            #expect(found == right, "\(store) \(comment)")
            return 0
        }
        let lost = right.filter { key, total in
            (found[key]?.count ?? 0) < total.count || (!ofCountsOnly && (found[key]?.amount ?? 0) < total.amount)
        }
        #expect(lost.isEmpty, "\(store): \(lost.map { ($0.key, $0.value, found[$0.key]) }) \(comment)")
        return right.count { found[$0.key] != $0.value }
    }

    /// Results of calls are in the order of the records, each once; at least once, those that were done again come again.
    private func checkOrder(_ topic: String, _ right: [Int32: [UInt128]]) throws -> Int {
        var doubled = 0
        var found: [Int32: [UInt128]] = [:]
        for partition in 0..<DepotApplication.partitions {
            let place = TopicPartition(topic, partition)
            let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "depot-judge"))
            defer { consumer.close() }
            let ends = try log.watermarks(place, committed: true)
            let assignment = try consumer.assign(place, from: ends.low)
            while consumer.position(assignment) < ends.high, let batch = try consumer.poll(timeout: 1000) {
                for index in 0..<batch.count {
                    guard let value = batch.value(index) else { continue }
                    found[partition, default: []].append(try Serde<Transfer>.transfer.decode(value).token)
                }
            }
        }
        for (partition, tokens) in right {
            var results = found[partition] ?? []
            if guarantee == .atLeastOnce {
                var seen: Set<UInt128> = []
                let all = results.count
                results = results.filter { seen.insert($0).inserted }
                doubled += all - results.count
            }
            #expect(
                results == tokens,
                "\(topic) \(partition): \(results.count) of \(tokens.count), lost \(Set(tokens).subtracting(results).count) \(comment)"
            )
        }
        return doubled
    }
}

import CrashApplication
import Glibc
import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct MalformedInputTests {
    /// Turns one bit of the file wherever `bytes` stand; returns how often they did.
    private func flip(_ bytes: [UInt8], in path: String) throws -> Int {
        let file = open(path, O_RDWR)
        guard file >= 0 else { throw SystemFailure("open") }
        defer { close(file) }
        var status = stat()
        fstat(file, &status)
        var content = [UInt8](repeating: 0, count: Int(status.st_size))
        _ = pread(file, &content, content.count, 0)
        var found = 0
        content.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return }
            var from = 0
            while from + bytes.count <= all.count,
                let place = memchr(base + from, Int32(bytes[0]), all.count - from - bytes.count + 1)
            {
                from = base.distance(to: UnsafeRawPointer(place)) + 1
                guard memcmp(place, bytes, bytes.count) == 0 else { continue }
                let last = from - 2 + bytes.count
                var byte = all[last] ^ 4
                pwrite(file, &byte, 1, last)
                found += 1
            }
        }
        return found
    }

    private func token(_ bank: Bank, _ topic: String, _ partition: Int32, _ offset: Int64) -> [UInt8] {
        var writer = ByteWriter()
        let source = SourcePartition(cluster: bank.log.clusterID, topic: topic, partition: partition)
        writer.append(bigEndian: source.digest(offset: offset))
        return writer.copy()
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a flipped bit in a batch stops the application with the batch's coordinates`(
        _ guarantee: ProcessingGuarantee
    ) async throws {
        let bank = try Bank(guarantee, comment: "flipped bit, \(guarantee.rawValue)")
        try bank.input.transfer(200)
        await bank.runWell()
        let place = TopicPartition(BankApplication.transactions, 1)
        let offset = try bank.log.watermarks(place, committed: true).high
        try bank.input.transfer(400)
        let bytes = token(bank, place.topic, place.partition, offset + 20)
        let path = bank.folder.path + "/log/log.mdb"
        #expect(try flip(bytes, in: path) > 0)
        for _ in 0..<2 {
            let failure = await bank.run()
            guard let error = (failure as? TaskFailure)?.cause as? LogError else {
                Issue.record("\(failure as Any)")
                return
            }
            #expect(error.code == .corrupt && error.topic == place.topic && error.partition == place.partition)
            #expect((error.offset ?? -1) <= offset + 20 && (error.resumeOffset ?? -1) > offset + 20)
        }
        // The bit turned back: everything is there, once.
        var flipped = bytes
        flipped[15] ^= 4
        #expect(try flip(flipped, in: path) > 0)
        await bank.runWell()
        _ = try bank.judge.check()
        bank.close()
    }

    @Test func `a flipped bit in a changelog stops the restore with coordinates`() async throws {
        let bank = try Bank(.exactlyOnce, comment: "flipped bit in a changelog")
        try bank.input.transfer(300)
        await bank.runWell()
        let account = token(bank, BankApplication.accounts, 0, 0)
        #expect(try flip(account, in: bank.folder.path + "/log/log.mdb") > 1)
        #expect(rename(bank.judge.state, bank.folder.path + "/old") == 0)
        let failure = await bank.run() as? TaskFailure
        let error = failure?.cause as? LogError
        #expect(failure?.step == .restore)
        #expect(error?.code == .corrupt && error?.partition == 0)
        #expect(error?.topic == "bank-accounts-changelog" && error?.offset != nil)
        bank.close()
    }

    /// Records that a serde refuses, and others that have no key or no value.
    private func sendBadRecords(_ bank: Bank) throws {
        let good = try Serde<Transfer>.transfer.bytes(Transfer(account: 1, amount: 5, token: 0)) ?? []
        for (key, value) in [
            ([1, 2, 3], good), ([], good), (Array(repeating: 7, count: 9), good), (Array(repeating: 0, count: 8), [1]),
            (Array(repeating: 0, count: 8), []), (Array(repeating: 0, count: 8), good + [0]),
        ] as [([UInt8], [UInt8])] {
            try bank.input.sendRaw(BankApplication.transactions, 0, key: key, value: value)
        }
    }

    @Test func `records that a serde refuses stop the task, with coordinates`() async throws {
        let bank = try Bank(.exactlyOnce, comment: "refused")
        try bank.input.transfer(50)
        try sendBadRecords(bank)
        let failure = await bank.run() as? TaskFailure
        #expect(failure?.coordinate?.topic == BankApplication.transactions)
        #expect(failure?.coordinate?.partition == 0)
        #expect(failure?.cause is SerdeError)
        bank.close()
    }

    @Test func `records that a serde refuses are counted, kept as dead letters, and nothing else changes`() async throws
    {
        let bank = try Bank(.exactlyOnce, comment: "left out")
        try bank.log.createTopics([TopicSpecification("dead")])
        let seen = Mutex<[String]>([])
        bank.change = { configuration in
            configuration.runtime.deadLetterTopic = "dead"
            configuration.runtime.deserializationHandler = { failed in
                seen.withLock { $0.append("\(failed.coordinate.map { "\($0)" } ?? "nowhere")") }
                return .continue
            }
        }
        try bank.input.transfer(50)
        try sendBadRecords(bank)
        try bank.input.transfer(50)
        await bank.runWell()
        _ = try bank.judge.check()
        #expect(seen.withLock { Set($0).count } == 6)
        #expect(try bank.log.watermarks(TopicPartition("dead", 0), committed: true).high == 6)
        bank.close()
    }

    @Test func `malformed headers change nothing but the trace`() async throws {
        let bank = try Bank(.exactlyOnce, comment: "headers")
        var lists: [[UInt8]] = [
            [0xff], [5], [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], [2, 1, 97, 2, 98], [0x80, 0x80, 0x80],
        ]
        for name in ["traceparent", "tributary-cell", "tributary-elements", "tracestate", "tributary-", "tributary-x"] {
            let values: [[UInt8]?] = [
                nil, [], [0], [1], [2], [0xff, 0xff], Array("00-0-0-00".utf8),
                Array("00-00000000000000000000000000000000-0000000000000000-00".utf8),
                Array("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".utf8),
                Array("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".utf8), Array(repeating: 1, count: 300),
            ]
            for value in values { lists.append(Headers([(name, value), ("kept", [1]), (name, value)]).encoded) }
        }
        var refused = 0
        for list in lists {
            do throws(LogError) {
                try bank.input.transferOne(headers: list)
            } catch {
                refused += 1
            }
        }
        await bank.runWell()
        _ = try bank.judge.check()
        print("headers: \(lists.count) lists, \(refused) refused by the producer")
        bank.close()
    }

    @Test func `a malformed cell in a repartition topic is a gap, and counts once`() async throws {
        let bank = try Bank(.exactlyOnce, comment: "cells")
        await bank.runWell()
        let cells: [[UInt8]] = [
            [], [1], [2], [1, 0], [1] + Array(repeating: 0xff, count: 60), Array(repeating: 1, count: 400),
        ]
        for cell in cells {
            let value = try Serde<Transfer>.transfer.bytes(Transfer(account: 3, amount: 1, token: 0)) ?? []
            try bank.input.sendRaw(
                "bank-by-account-repartition", partition(forKey: key(3).span.bytes, count: BankApplication.partitions),
                key: key(3), value: value, cell: cell)
        }
        await bank.runWell()
        let row = try #require(try BankState.last(bank.log, "bank-balances-changelog")[key(3)])
        #expect(try Serde<Balance>.balance.value(row.value).count == Int64(cells.count))
        #expect(try row.report().flags.contains("gap"))
        bank.close()
    }

    private func key(_ account: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(bigEndian: account)
        return writer.copy()
    }

    /// Replaces one stored envelope, while the application is stopped.
    private func replace(_ bank: Bank, _ store: String, _ key: [UInt8], by envelope: [UInt8]) throws {
        let task = try #require(
            bank.judge.tasks.first { task in
                (try? BankState.rows(bank.judge.state, store: store, tasks: [task])[key]) != nil
            })
        let engine = try LMDBStateEngine(
            directory: "\(bank.judge.state)/\(task)", options: LMDBStateOptions(mapSize: 1 << 30))
        try engine.table(store).put(key.span.bytes, envelope.span.bytes)
        try engine.commit()
        engine.close()
    }

    @Test(arguments: ["accounts", "balances"])
    func `a malformed stored envelope is a typed error that names store and key`(_ store: String) async throws {
        let bank = try Bank(.exactlyOnce, comment: "envelopes")
        bank.change = { $0.runtime.cacheBytes = 0 }
        try bank.input.transfer(300)
        await bank.runWell()
        let account = key(0)
        let good = try #require(try BankState.rows(bank.judge.state, store: store, tasks: bank.judge.tasks)[account])
        var bad: [[UInt8]] = (0..<good.count).filter { $0 % 5 == 0 }.map { Array(good.prefix($0)) }
        bad += (0..<min(good.count, 60)).filter { $0 % 3 == 0 }.map { place in
            var bytes = good
            bytes[place] ^= 0x81
            return bytes
        }
        bad.append(good + [0])
        var typed = 0
        for bytes in bad {
            try replace(bank, store, account, by: bytes)
            try bank.input.transferOne(account: 0)
            guard let failure = await bank.run() else { continue }
            typed += 1
            let cause = (failure as? TaskFailure)?.cause ?? failure
            let error = cause as? StoreError
            // Cut where the payload is: the envelope holds, the serde refuses.
            #expect(error?.code == .corrupt || error?.code == .undecodable, "\(failure)")
            #expect(error?.store == store && error?.key != nil, "\(failure)")
            // What the changelog has takes the place of what is damaged; bytes that only a serde refuses are as they were written.
            if error?.code == .undecodable { try replace(bank, store, account, by: good) }
            await bank.runWell()
        }
        print("envelopes of \(store): \(bad.count) bad ones, \(typed) refused")
        #expect(typed > bad.count / 2)
        bank.close()
    }

    @Test func `malformed offset metadata is no time`() async throws {
        let bank = try Bank(.exactlyOnce, comment: "metadata")
        try bank.input.transfer(100)
        await bank.runWell()
        for text in ["", "x", "====", "AgAAAAA", "Ag==", "äöü", String(repeating: "A", count: 5000)] {
            let group = try bank.log.joinGroup(
                GroupConfiguration(group: BankApplication.id, clientID: "test", tasks: 1))
            let committed = try bank.log.committedOffsets(group: BankApplication.id)
            try group.commit(committed.mapValues { CommittedOffset($0.offset, metadata: text) })
            group.leave()
            try bank.input.transfer(20)
            await bank.runWell()
        }
        _ = try bank.judge.check()
        bank.close()
    }
}

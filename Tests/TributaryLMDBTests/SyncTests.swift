import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

/// What is asked of the disk, by what LMDB itself has been told.
@Suite struct SyncTests {
    /// How many commits there were since the last call; all must have waited for the disk, or none.
    private func commits(_ faults: LMDBFaults, synced: Bool) -> Int {
        var count = 0
        for step in faults.takeSteps() {
            guard case .commit(let path, let isSynced) = step else { continue }
            count += 1
            #expect(isSynced == synced && path.hasSuffix("/log/log.mdb"))
        }
        return count
    }

    @Test(arguments: [EmbeddedLogConfiguration.Durability.synced, .relaxed])
    func `each commit of a synced log waits for the disk, and none of a relaxed one`(
        _ durability: EmbeddedLogConfiguration.Durability
    ) throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) {
            $0.durability = durability
            $0.faults = faults
        }
        let synced = durability == .synced
        #expect(commits(faults, synced: synced) == 1)  // the file's own beginning
        try log.createTopics([TopicSpecification("t")])
        #expect(commits(faults, synced: synced) == 1)
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        #expect(commits(faults, synced: synced) == 1)
        let topic = try producer.number(ofTopic: "t")
        for round in 1...5 {
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "\(round)"), to: topic)
            _ = try producer.commitTransaction(offsets: [:], group: nil)
            #expect(commits(faults, synced: synced) == 1)
        }
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "c", tasks: 1))
        try group.commit([TopicPartition("t", 0): CommittedOffset(1)])
        #expect(commits(faults, synced: synced) == 1)
        try log.write([TestRecord("k", "x")], to: "t")
        #expect(commits(faults, synced: synced) == 1)
        try log.deleteTopics(["t"])
        #expect(commits(faults, synced: synced) >= 2)
    }

    @Test func `the names of a new log's folders and files are on disk, each with the folder that has it`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        for round in 0..<2 {
            var configuration = EmbeddedLogConfiguration()
            configuration.mapSize = 1 << 30
            configuration.maintenanceInterval = .zero
            configuration.faults = faults
            let log = try EmbeddedLog.open(at: folder.path + "/a/b/log", configuration: configuration)
            log.close()
            let file = folder.path + "/a/b/log/log.mdb"
            let folders = ["", "/a", "/a/b", "/a/b/log"].map { LMDBFaults.Step.syncFolder(folder.path + $0) }
            let end = [LMDBFaults.Step.commit(file, isSynced: true), .syncFolder(folder.path + "/a/b/log")]
            // The name of the file comes after its first commit. The second time all is there.
            #expect(faults.takeSteps() == (round == 0 ? folders + end : [end[0]]))
        }
    }

    @Test func `a relaxed log syncs no folder`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        try openLog(folder) { $0.faults = faults }.close()
        #expect(faults.takeSteps().count == 1)
    }
}

import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// Bits of the bank app's state files are turned over while it is stopped: the next start has every row right, whatever the bit
/// was for.
@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct StateFlipTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let input: BankInput
    private let judge: BankJudge

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path + "/log", configuration: BankApplication.logConfiguration)
        try log.createTopics(BankApplication.topics)
        input = try BankInput(log, accounts: 400, seed: 5)
        try input.openAccounts()
        judge = BankJudge(
            .exactlyOnce, log, input, state: folder.path + "/log/state/" + BankApplication.id, comment: "turned bits")
    }

    /// Runs the application until it has done everything; returns how it ended, and what it said if it failed.
    private func run(_ settings: [String]) throws -> (status: Int32, said: String) {
        try input.transfer(60)
        let child = try Program(
            [Program.own("tributary-crash-child"), folder.path + "/log", ProcessingGuarantee.exactlyOnce.rawValue, "2"]
                + settings)
        defer { child.kill() }
        let said = child.read(milliseconds: 30_000)
        guard said == "running\n" else { return (child.wait(), said) }
        for _ in 0..<3000 {
            if try judge.lag().isEmpty { break }
            // Between records, too, it may meet what is damaged.
            let more = child.read(milliseconds: 10)
            if !more.isEmpty { return (child.wait(), more) }
            if kill(child.id, 0) != 0 { break }
        }
        child.signal(SIGTERM)
        return (child.wait(), "")
    }

    private func inode(_ path: String) -> UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
    }

    /// Turns bits over, one after the other, and counts what came of each.
    private func turnBits(_ settings: [String], _ title: String, failuresPerTask: Int) throws {
        try input.transfer(2000)
        #expect(try run(settings).status == 0)
        try #require(!judge.tasks.isEmpty, "the first run left no state")
        let starts = 1 + failuresPerTask * judge.tasks.count
        var table = OutcomeTable(title)
        for place in FlipPlace.allCases {
            for number in 0..<(isSoak ? 40 : 1) {
                let task = judge.tasks[number % judge.tasks.count]
                let file = "\(judge.state)/\(task)/state.mdb"
                // A bit of an earlier turn that nobody has met would lead the map astray.
                if !StateCheck(directory: "\(judge.state)/\(task)").findings.isEmpty {
                    #expect(try run([]).status == 0)
                }
                guard let flip = try LMDBFileMap(file).flips(place, count: 1, seed: UInt64(number)).first else {
                    continue
                }
                let before = inode(file)
                try flip.apply(to: file)
                var outcome = ""
                var start = 1
                while true {
                    let (status, said) = try run(settings)
                    if status == 0 { break }
                    outcome += status < 0 ? "signal, then " : "error, then "
                    #expect(
                        start < starts,
                        "\(place.rawValue) \(flip) \(task): start \(start) ended with \(status): \(said)")
                    if start >= starts { break }
                    start += 1
                }
                outcome += inode(file) == before ? "went on" : "rebuilt"
                table.add(place.rawValue, outcome)
            }
        }
        print(table)
    }

    @Test func `turned bits never change a result`() throws {
        try turnBits([], "state, checked at each start", failuresPerTask: 0)
        _ = try judge.check()
    }

    /// Without the check at a start LMDB may serve what is damaged, so that results aren't judged; but each task fails at most
    /// once, for this bit or for an earlier one that nobody had met, and a start that looks always gets on.
    @Test func `unchecked state that ends a process is built anew by the next`() throws {
        try turnBits(["unchecked"], "state, checked after a death only", failuresPerTask: 1)
        #expect(try run([]).status == 0)
    }
}

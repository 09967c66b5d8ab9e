import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// Bits of the bank app's state files are turned over while it is stopped: the next start, or the one after it, has every row
/// right, whatever the bit was for.
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

    @Test(arguments: [true, false])
    func `turned bits never change a result, and after a crash the state is built anew`(checksAtStart: Bool) throws {
        let settings = checksAtStart ? [] : ["unchecked"]
        try input.transfer(2000)
        #expect(try run(settings).status == 0)
        var table = OutcomeTable(checksAtStart ? "state, checked at each start" : "state, checked after a death only")
        let count = isSoak ? 40 : 1
        for place in FlipPlace.allCases {
            for number in 0..<count {
                let task = judge.tasks[number % judge.tasks.count]
                let file = "\(judge.state)/\(task)/state.mdb"
                guard let flip = try LMDBFileMap(file).flips(place, count: 1, seed: UInt64(number)).first else {
                    continue
                }
                let before = inode(file)
                try flip.apply(to: file)
                var outcome = ""
                for start in 1...2 {
                    let (status, said) = try run(settings)
                    if status == 0 { break }
                    outcome += status < 0 ? "signal, then " : "error, then "
                    #expect(
                        start == 1, "\(place.rawValue) \(flip) \(task): start \(start) ended with \(status): \(said)")
                }
                outcome += inode(file) == before ? "went on" : "rebuilt"
                table.add(place.rawValue, outcome)
            }
        }
        print(table)
        // What nobody has met yet is found by a start that looks.
        if !checksAtStart { #expect(try run([]).status == 0) }
        _ = try judge.check()
    }
}

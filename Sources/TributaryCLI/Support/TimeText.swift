/// Times as people write them: ISO 8601 in UTC, with milliseconds.
enum TimeText {
    /// `2026-11-21T14:00:00.000Z`.
    static func text(_ milliseconds: Int64) -> String {
        let (day, rest) = divide(milliseconds, 86_400_000)
        let date = civil(day)
        func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + String(number) }
        let millis = String(rest % 1000)
        return "\(date.year)-\(two(date.month))-\(two(date.day))T\(two(rest / 3_600_000)):\(two(rest / 60_000 % 60)):"
            + "\(two(rest / 1000 % 60)).\(String(repeating: "0", count: 3 - millis.count))\(millis)Z"
    }

    /// Milliseconds of a number of milliseconds or of `YYYY-MM-DD[THH:MM[:SS[.mmm]]][Z]`; of days that the calendar has.
    static func milliseconds(_ text: String) throws(UsageError) -> Int64 {
        if let number = Int64(text) { return number }
        let refused = UsageError("'\(text)' is no time: give milliseconds since 1970, or 2026-01-31T13:00:00Z")
        let halves = text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "T" || $0 == " " })
        guard halves.count <= 2, let date = numbers(halves[0], "-", digits: [4, 2, 2]) else { throw refused }
        let day = days(date[0], date[1], date[2])
        // What the calendar doesn't have comes back as another day.
        guard (1...12).contains(date[1]), civil(day) == (date[0], date[1], date[2]) else {
            throw UsageError("'\(text)' is no time: there is no such day")
        }
        guard halves.count == 2 else { return day * 86_400_000 }
        var clock = halves[1]
        if clock.hasSuffix("Z") { clock.removeLast() }
        let parts = clock.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let time = numbers(parts[0], ":", digits: [2, 2, 2]) ?? numbers(parts[0], ":", digits: [2, 2]) else {
            throw refused
        }
        guard time[0] < 24, time[1] < 60, time.count == 2 || time[2] < 60 else {
            throw UsageError("'\(text)' is no time: a day ends at 23:59:59.999")
        }
        var result = day * 86_400_000 + time[0] * 3_600_000 + time[1] * 60_000
        if time.count == 3 { result += time[2] * 1000 }
        guard parts.count == 2 else { return result }
        let fraction = parts[1].prefix(3)
        guard time.count == 3, (1...9).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
            let number = Int64(fraction + String(repeating: "0", count: 3 - fraction.count))
        else { throw refused }
        return result + number
    }

    /// Numbers of as many digits each.
    private static func numbers(_ text: Substring, _ separator: Character, digits: [Int]) -> [Int64]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == digits, parts.allSatisfy({ $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }) else {
            return nil
        }
        return parts.compactMap { Int64($0) }
    }

    /// A length of time in words.
    static func duration(_ milliseconds: Int64) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        if milliseconds < 120_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
        if milliseconds < 7_200_000 { return "\(milliseconds / 60_000) min" }
        return "\(milliseconds / 3_600_000) h"
    }

    private static func divide(_ number: Int64, _ by: Int64) -> (Int64, Int64) {
        let (quotient, rest) = number.quotientAndRemainder(dividingBy: by)
        return rest < 0 ? (quotient - 1, rest + by) : (quotient, rest)
    }

    // Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day comes last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, yearOfEra) = divide(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = divide(day + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

/// Numbers for people.
enum NumberText {
    /// `1,234,567`.
    static func grouped(_ number: Int64) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    /// `12.3 MB`.
    static func bytes(_ count: Int64) -> String {
        var value = Double(count)
        var unit = "B"
        for next in ["KB", "MB", "GB", "TB"] where value >= 1000 {
            value /= 1000
            unit = next
        }
        return unit == "B" ? "\(count) B" : "\((value * 10).rounded() / 10) \(unit)"
    }
}

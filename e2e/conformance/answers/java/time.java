// The examples in the javadoc of java.time.
import java.time.*;
import java.time.format.DateTimeFormatter;
import java.time.temporal.*;

public class Main {
  public static void main(String[] args) {
    System.out.println(LocalDate.of(2007, 3, 31).plusMonths(1));
    //> 2007-04-30
    System.out.println(LocalDate.of(2008, 2, 29).plusYears(1));
    //> 2009-02-28
    System.out.println(Duration.ofMillis(20345) + " " + Duration.ofMinutes(15) + " " + Duration.ofHours(10) + " " + Duration.ofDays(2));
    //> PT20.345S PT15M PT10H PT48H
    LocalDate d = LocalDate.of(2012, 12, 1);
    System.out.println(d.format(DateTimeFormatter.ISO_WEEK_DATE) + " " + LocalDate.of(2012, 12, 2).format(DateTimeFormatter.ISO_ORDINAL_DATE));
    //> 2012-W48-6 2012-337
    System.out.println(ZonedDateTime.of(2007, 12, 3, 10, 15, 30, 0, ZoneId.of("Europe/Paris")));
    //> 2007-12-03T10:15:30+01:00[Europe/Paris]
    // Clocks went forward in Paris at 01:00 UTC on 30 March 2008: a local time in the gap is moved by its length.
    System.out.println(ZonedDateTime.of(2008, 3, 30, 2, 30, 0, 0, ZoneId.of("Europe/Paris")));
    //> 2008-03-30T03:30+02:00[Europe/Paris]
    System.out.println(Period.between(LocalDate.of(2010, 1, 15), LocalDate.of(2011, 3, 18)));
    //> P1Y2M3D
    System.out.println(Instant.EPOCH + " " + Instant.ofEpochSecond(1_000_000_000));
    //> 1970-01-01T00:00:00Z 2001-09-09T01:46:40Z
    System.out.println(LocalDate.of(2011, 1, 15).with(TemporalAdjusters.firstDayOfNextMonth()) + " " + LocalDate.of(2011, 1, 15).with(TemporalAdjusters.next(DayOfWeek.MONDAY)));
    //> 2011-02-01 2011-01-17
    System.out.println(Year.isLeap(1900) + " " + Year.isLeap(2000) + " " + ChronoUnit.DAYS.between(LocalDate.of(1970, 1, 1), LocalDate.of(2000, 1, 1)));
    //> false true 10957
    System.out.println(DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSxx").format(OffsetDateTime.of(2007, 12, 3, 10, 15, 30, 5_000_000, ZoneOffset.ofHoursMinutes(5, 30))));
    //> 2007-12-03T10:15:30.005+0530
  }
}
